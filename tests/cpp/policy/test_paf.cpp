// SPDX-License-Identifier: BSD-3-Clause
// The parser as another room uses it: typed look-up by dotted name, places of values, errors with their places.
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "check.hpp"
#include "policy/loading.hpp"
#include "policy/paf.hpp"
#include "policy/paf_writer.hpp"

namespace {

using namespace pex::policy;

// A file below the temporary directory, removed at the end of the case.
class TemporaryFile {
 public:
    explicit TemporaryFile(const std::string& text)
        : m_path(std::filesystem::temp_directory_path() /
                 ("pex_" + std::to_string(std::random_device{}()) + ".paf")) {
        std::ofstream(m_path, std::ios::binary) << text;
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { std::filesystem::remove(m_path); }
    const std::string& path() const { return m_path; }

 private:
    std::string m_path;
};

template <class E>
Report report_of(const std::string& text) {
    try {
        parse_paf_string(text);
    } catch (const E& error) {
        return error.report();
    }
    return {};
}

PEX_TEST(file_gives_typed_values_by_dotted_name) {
    const TemporaryFile file("execute: {\n  nSlices: 4\n  localLogMode: true\n  x: 1.5 2\n}\n");
    PEX_CHECK_THROWS(parse_paf_file(file.path()), FormatSyntaxError);
    const TemporaryFile good("execute: {\n  nSlices: 4\n  localLogMode: true\n  x: 1.5 2.\n  name: warp it\n}\n");
    const PolicyPtr sut = parse_paf_file(good.path());
    PEX_CHECK_EQ(sut->get<std::int32_t>("execute.nSlices"), 4);
    PEX_CHECK_EQ(sut->get<bool>("execute.localLogMode"), true);
    PEX_CHECK_EQ(sut->get<StringValue>("execute.name").view(), std::string_view("warp it"));
    PEX_CHECK_EQ(sut->get_array<double>("execute.x").size(), 2U);
    PEX_CHECK_EQ(sut->get<double>("execute.x"), 2.0);
    PEX_CHECK_EQ(sut->get<std::int32_t>("execute.eventTimeout", 17), 17);
    PEX_CHECK_THROWS(sut->get<double>("execute.nSlices"), TypeError);
    PEX_CHECK_THROWS(sut->get<std::int32_t>("execute.slices"), NameNotFound);
    PEX_CHECK_THROWS(sut->get<std::int32_t>("execute..nSlices"), BadNameError);
}

PEX_TEST(missing_file_is_an_io_error) { PEX_CHECK_THROWS(parse_paf_file("/no/such/file.paf"), IoError); }

PEX_TEST(every_value_knows_its_place) {
    const PolicyPtr sut = parse_paf_string("a: 1 2\np: {\n   a: \"x\"\n}\na: 3\n");
    const Entry* entry = sut->find("a");
    const auto at = [&](std::size_t index) {
        const Place place = entry->place_of(index);
        const Position position = place.source->position(place.offset);
        return std::to_string(position.line) + ":" + std::to_string(position.column);
    };
    PEX_CHECK_EQ(at(0), std::string("1:4"));
    PEX_CHECK_EQ(at(1), std::string("1:6"));
    PEX_CHECK_EQ(at(2), std::string("5:4"));
    const Place place = sut->place("p.a");
    PEX_CHECK_EQ(place.source->position(place.offset).line, 3U);
    PEX_CHECK_EQ(place.source->line_at(place.offset), std::string_view("   a: \"x\""));
}

PEX_TEST(columns_count_characters) {
    const PolicyPtr sut = parse_paf_string("s: \"h\xC3\xA9\" \"x\"\n");
    const Place place = sut->place("s");
    PEX_CHECK_EQ(place.source->position(place.offset).column, 9U);
}

PEX_TEST(error_names_place_and_breadcrumb) {
    const Report report = report_of<FormatSyntaxError>("p: {\n q: {x: 1}\n q: {\n  y: 3 4.5 }\n}\n");
    PEX_CHECK_EQ(report.breadcrumb, std::string("p.q[1].y"));
    PEX_CHECK_EQ(report.place.source->position(report.place.offset).line, 4U);
    PEX_CHECK_EQ(report.seen, std::string("\"4.5\""));
}

PEX_TEST(dotted_names_count_towards_the_depth) {
    std::string name = "a";
    for (std::size_t i = 1; i < MAX_DEPTH; ++i) name += ".a";
    PEX_CHECK_EQ(parse_paf_string(name + ": 1")->get<std::int32_t>(name), 1);
    PEX_CHECK_THROWS(parse_paf_string("b: {" + name + ": 1}"), FormatSyntaxError);
}

PEX_TEST(deep_trees_are_walked_without_the_machine_stack) {
    std::string text;
    for (std::size_t i = 0; i < MAX_DEPTH; ++i) text += "a: {";
    text.append(MAX_DEPTH, '}');
    const PolicyPtr sut = parse_paf_string(text);
    const PolicyPtr copy = sut->deep_copy();
    PEX_CHECK(equal(*sut->node(), *copy->node()));
    PEX_CHECK(equal(*sut->node(), *parse_paf_string(paf_text(*copy->node()))->node()));
    PEX_CHECK(reaches(sut->node(), sut->get_policy("a.a.a")->node().get()));
}

PEX_TEST(product_includes_need_a_resolver) {
    PEX_CHECK_THROWS(parse_paf_string("a: @@prod:x.paf"), NotFoundError);
    LoadOptions options;
    options.products = [](std::string_view product) { return "/opt/" + std::string(product); };
    const PolicyPtr sut = parse_paf_string("a: @urn:eupspkg:prod:repo:x.paf", "text", options);
    PEX_CHECK_EQ(sut->get_file("a")->path(), std::string("/opt/prod/repo/x.paf"));
}

PEX_TEST(too_many_included_files_are_refused) {
    const TemporaryFile leaf("x: 1\n");
    const auto doubling = [](const TemporaryFile& file) {
        const std::string include = "@" + file.path() + "\n";
        std::string text;
        for (int i = 0; i < 41; ++i) text += "i: " + include;
        return text;
    };
    const TemporaryFile one(doubling(leaf));
    const TemporaryFile two(doubling(one));
    const PolicyPtr sut = parse_paf_string(doubling(two));
    PEX_CHECK_THROWS(load_policy_files(sut->node(), "", {}), RuntimeError);
}

}  // namespace
