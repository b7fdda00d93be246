// SPDX-License-Identifier: BSD-3-Clause
// The compiled reclaim rule against holds that move while it looks: at every instruction, one or two of them.
#include <algorithm>
#include <functional>

#include "os/memory.hpp"
#include "shm/block_header.hpp"
#include "stepper.hpp"

using namespace support;

namespace {

constexpr ProcessSlot RECLAIMER{1}, PUBLISHER{250}, ADDRESSEE{2};
constexpr unsigned VISIT = 11;
constexpr const char* STEPPED = "a process stepped through by another";

// A block that is always held by somebody, a reclaimer that looks at it step by step, and others that move
// the hold.
class Scene {
  public:
    using Move = std::function<void(BlockHeaderShm&)>;

    explicit Scene(Move prepare)
        : m_memory(pex::os::Segment::create({"test", 4096})),
          m_header(*reinterpret_cast<BlockHeaderShm*>(m_memory.data())),
          m_prepare(std::move(prepare)),
          m_child([this] {
              for (const pid_t own = ::getpid();;) {
                  try_reclaim(m_header, RECLAIMER);
                  Stepper::pause(own);
              }
          }) {
        m_steps = run(0, [](BlockHeaderShm&) {}, 0, [](BlockHeaderShm&) {});
    }

    // Lets the reclaimer try once, making two moves before its steps `first_at` <= `second_at`; returns its
    // steps.
    int run(int first_at, const Move& first, int second_at, const Move& second) {
        new (&m_header) BlockHeaderShm{};
        m_header.state = StateWord{BlockState::live, {}, {1}}.pack();
        m_prepare(m_header);
        for (int step = 0;; ++step) {
            if (step == first_at) first(m_header);
            if (step == second_at) second(m_header);
            m_child.step();
            if (m_child.paused()) return step;
        }
    }

    int steps() const { return m_steps; }
    bool still_live() const { return load_state(m_header).is_live({1}); }

  private:
    pex::os::Segment m_memory;
    BlockHeaderShm& m_header;
    Move m_prepare;
    Stepper m_child;
    int m_steps = 0;
};

void hold_by_publisher(BlockHeaderShm& header) { set_holder(header, PUBLISHER); }

void publish_and_drop(BlockHeaderShm& header) {
    set_root(header, VISIT);
    clear_holder(header, PUBLISHER);
}

void materialise_and_retire(BlockHeaderShm& header) {
    set_holder(header, ADDRESSEE);
    clear_root(header, VISIT);
}

// Without any root: the addressee's bit lies in a word that is read before the publisher's.
void hand_over(BlockHeaderShm& header) {
    set_holder(header, ADDRESSEE);
    clear_holder(header, PUBLISHER);
}

}  // namespace

PEX_TEST(a_hold_that_moves_once_while_the_reclaimer_looks_is_never_missed) {
    if (skip_under_thread_sanitizer(STEPPED)) return;
    Scene publication(hold_by_publisher);
    // Every instruction in an ordinary build; a sample where a sanitizer multiplies them.
    const int stride = std::max(1, publication.steps() / 200);
    for (int at = 0; at <= publication.steps(); at += stride) {
        publication.run(at, publish_and_drop, -1, {});
        PEX_CHECK(publication.still_live());
        publication.run(at, hand_over, -1, {});
        PEX_CHECK(publication.still_live());
    }
    Scene materialisation([](BlockHeaderShm& header) { set_root(header, VISIT); });
    for (int at = 0; at <= materialisation.steps(); at += stride) {
        materialisation.run(at, materialise_and_retire, -1, {});
        PEX_CHECK(materialisation.still_live());
    }
}

PEX_TEST(a_hold_that_moves_twice_while_the_reclaimer_looks_is_never_missed) {
    if (skip_under_thread_sanitizer(STEPPED)) return;
    Scene sut(hold_by_publisher);
    // Every other instruction, which is between every two loads.
    const int stride = std::max(2, sut.steps() / 40);
    for (int first = 0; first <= sut.steps(); first += stride) {
        for (int second = first; second <= sut.steps(); second += stride) {
            sut.run(first, publish_and_drop, second, materialise_and_retire);
            PEX_CHECK(sut.still_live());
        }
    }
}

PEX_TEST(a_block_that_nobody_holds_is_reclaimed_by_the_same_steps) {
    if (skip_under_thread_sanitizer(STEPPED)) return;
    Scene sut([](BlockHeaderShm&) {});
    PEX_CHECK(!sut.still_live());
    PEX_CHECK(sut.steps() > 10);
}
