// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target of the policy room: any bytes parse or raise a located error; what parses can be written and read
// back, and used as a dictionary.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/defaults.hpp"
#include "policy/dictionary.hpp"
#include "policy/paf.hpp"
#include "policy/paf_writer.hpp"
#include "policy/policy_file.hpp"
#include "policy/text.hpp"

namespace {

using namespace pex::policy;

void require(bool holds, const char* claim) {
    if (holds) return;
    std::cerr << "does not hold: " << claim << std::endl;
    std::abort();
}

LoadOptions options_for(bool strict) {
    LoadOptions options;
    options.strict = strict;
    options.products = [](std::string_view product) { return "/nowhere/" + std::string(product); };
    return options;
}

void require_inside(const Error& error) {
    const Place& place = error.report().place;
    require(place.known() && place.offset != NO_OFFSET, "an error of the parser has a place");
    require(place.offset <= place.source->text().size(), "the place is inside the text");
    const Position position = place.source->position(place.offset);
    require(position.line >= 1 && position.column >= 1, "lines and columns count from 1");
    require(!std::string_view(error.what()).empty(), "an error says something");
}

PolicyPtr parse_strictly(const std::string& text) {
    try {
        return parse_paf_string(text, "strict", options_for(true));
    } catch (const Error& error) {
        require_inside(error);
        return nullptr;
    }
}

void check_written(const Policy& policy) {
    std::string written;
    try {
        written = paf_text(*policy.node());
    } catch (const RuntimeError&) {
        return;  // PAF cannot hold every value that other sources give
    }
    const PolicyPtr back = parse_paf_string(written, "written", options_for(true));
    require(equal(*policy.node(), *back->node()), "what is written reads back to an equal policy");
}

void check_walks(const Policy& policy) {
    (void)listing(*policy.node());
    require(equal(*policy.node(), *policy.deep_copy()->node()), "a copy is equal");
    for (const std::string& name : policy.names(Policy::Names::ALL, false)) {
        require(policy.exists(name) && policy.count(name) > 0, "every name that is listed exists");
    }
}

// Files would be read from the disk: such dictionaries are looked at, but their files are left alone.
bool refers_to_files(const NodePtr& root) {
    std::vector<const Node*> pending{root.get()};
    bool found = false;
    while (!pending.empty() && !found) {
        const Node* node = pending.back();
        pending.pop_back();
        node->for_each([&](const Entry& entry) {
            found = found || entry.type() == ValueType::FILE || entry.name == keyword::DICTIONARY_FILE;
            const auto* children = std::get_if<SmallArray<NodePtr>>(&entry.values);
            if (children == nullptr) return;
            for (const NodePtr& child : *children) pending.push_back(child.get());
        });
    }
    return found;
}

// Every default that is kept can be set again in a policy that is watched by the dictionary.
void check_changes(const Policy& defaults, const DictionaryPtr& dictionary) {
    Policy watched;
    watched.set_dictionary(dictionary);
    for (const std::string& name : defaults.names(Policy::Names::ALL, true)) {
        try {
            watched.set_values(name, defaults.require(name).values);
        } catch (const Error&) {
            require(!watched.exists(name), "a refused change changes nothing");
        }
    }
}

void use_as_dictionary(const PolicyPtr& policy) {
    try {
        const auto dictionary = std::make_shared<Dictionary>(policy->node(), "", [](const Report& report) {
            require(!render(report).empty(), "a warning says something");
        });
        Issues itself;
        dictionary->validate(*policy, itself);
        if (refers_to_files(policy->node())) return;
        Issues bad;
        const PolicyPtr defaults = defaults_of(dictionary, bad, {});
        Issues left;
        dictionary->validate(*defaults, left);
        check_changes(*defaults, dictionary);
        Policy merged(policy->deep_copy()->node());
        (void)merge_defaults(merged, dictionary, true, left, {});
    } catch (const Error& error) {
        require(!std::string_view(error.what()).empty(), "an error says something");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    (void)recognise_format(text);
    const PolicyPtr lenient = parse_paf_string(text, "lenient", options_for(false));
    check_written(*lenient);
    check_walks(*lenient);
    const PolicyPtr strict = parse_strictly(text);
    if (strict != nullptr) require(equal(*strict->node(), *lenient->node()), "correct text reads the same leniently");
    use_as_dictionary(lenient);
    return 0;
}
