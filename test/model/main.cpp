// The model of the publishing protocol; see README.md.
//   model         the short form: every rule in force must hold, every rule switched off must be missed
//   model --long  with larger bounds

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "search.hpp"

namespace model {
namespace {

enum class Form { both, only_long };

struct Scenario {
  Form form;
  Bounds bounds;
};

struct Mutation {
  const char *name;
  bool Rules::*rule;
  const char *scenario;
  Form form = Form::both;
};

const Scenario k_scenarios[] = {
    {Form::both, {.name = "one publisher"}},
    {Form::both, {.name = "one publisher, a run cancelled", .runs = 2}},
    {Form::both, {.name = "one publisher, changes", .changes = 1}},
    {Form::both, {.name = "chunks of two rows, one refused, changes", .chunk_rows = 2, .changes = 1, .refusal = true}},
    {Form::both, {.name = "two publishers", .fine = false, .publishers = 2}},
    {Form::both, {.name = "two publishers, a run cancelled", .fine = false, .publishers = 2, .runs = 2, .faults = 1}},
    {Form::both, {.name = "two publishers, one task", .fine = false, .publishers = 2, .ordered = true}},
    {Form::both, {.name = "a backup restored", .fine = false, .runs = 2, .backup = true}},
    {Form::both, {.name = "a backup restored, changes, one refused", .fine = false, .chunk_rows = 2, .changes = 1, .refusal = true, .backup = true}},
    {Form::both, {.name = "a backup restored, two publishers", .fine = false, .publishers = 2, .chunk_rows = 2, .backup = true}},
    {Form::both, {.name = "a standby promoted", .fine = false, .publishers = 2, .chunk_rows = 2, .faults = 2, .backup = true, .promotion = true}},
    {Form::both, {.name = "a backup restored, the doubt resolved", .fine = false, .runs = 2, .backup = true, .resolving = true, .reader = true}},
    {Form::both, {.name = "every record read", .fine = false, .runs = 2, .changes = 1, .reader = true}},
    {Form::both, {.name = "every record read, a backup restored", .fine = false, .runs = 2, .faults = 1, .changes = 1, .backup = true, .reader = true}},
    {Form::both, {.name = "markers lost", .runs = 2, .faults = 1, .loss = true}},
    {Form::both, {.name = "markers lost, two publishers", .fine = false, .publishers = 2, .faults = 2, .loss = true}},
    {Form::both, {.name = "a clone", .fine = false, .publishers = 2, .clone = true}},
    {Form::both, {.name = "two companies", .fine = false, .publishers = 2, .companies = 2, .runs = 2, .faults = 1}},
    {Form::only_long, {.name = "one publisher, a run cancelled, changes", .runs = 2, .changes = 2}},
    {Form::only_long, {.name = "chunks of two rows, refused and cancelled", .chunk_rows = 2, .runs = 2, .changes = 2, .refusal = true}},
    {Form::only_long, {.name = "two publishers, request by request", .publishers = 2, .faults = 2}},
    {Form::only_long, {.name = "two publishers, cancelled without bounds", .fine = false, .publishers = 2, .chunk_rows = 2, .runs = 2}},
    {Form::only_long, {.name = "two publishers, one task, request by request", .publishers = 2, .ordered = true, .faults = 2}},
    {Form::only_long, {.name = "one task, cancelled, refused, changes", .fine = false, .publishers = 2, .ordered = true, .runs = 2, .changes = 1, .refusal = true}},
    {Form::only_long, {.name = "a backup restored, request by request", .backup = true}},
    {Form::only_long, {.name = "a backup restored, changes", .fine = false, .runs = 2, .changes = 1, .backup = true}},
    {Form::only_long, {.name = "a backup restored, two rows, refused", .fine = false, .chunk_rows = 2, .runs = 2, .changes = 2, .refusal = true, .backup = true}},
    {Form::only_long, {.name = "a backup restored, changes, request by request", .chunk_rows = 2, .faults = 2, .changes = 1, .refusal = true, .backup = true}},
    {Form::only_long, {.name = "a standby promoted without bounds", .fine = false, .publishers = 2, .chunk_rows = 2, .backup = true, .promotion = true}},
    {Form::only_long, {.name = "a standby promoted, changes, refused", .fine = false, .publishers = 2, .chunk_rows = 2, .faults = 2, .changes = 1, .refusal = true, .backup = true, .promotion = true}},
    {Form::only_long, {.name = "a backup restored, two publishers, two chunks", .fine = false, .publishers = 2, .backup = true}},
    {Form::only_long, {.name = "markers lost, two publishers without bounds", .fine = false, .publishers = 2, .loss = true}},
    {Form::only_long, {.name = "markers lost, request by request", .loss = true}},
    {Form::only_long, {.name = "markers lost, two rows, refused", .fine = false, .chunk_rows = 2, .runs = 2, .changes = 2, .refusal = true, .loss = true}},
    {Form::only_long, {.name = "markers lost, the doubt resolved", .chunk_rows = 2, .runs = 2, .faults = 2, .changes = 1, .refusal = true, .resolving = true, .loss = true}},
    {Form::only_long, {.name = "markers lost, the doubt resolved, two publishers", .fine = false, .publishers = 2, .faults = 2, .resolving = true, .loss = true}},
    {Form::only_long, {.name = "markers lost, two publishers, cancelled", .fine = false, .publishers = 2, .runs = 2, .faults = 2, .loss = true}},
    {Form::only_long, {.name = "every record read, request by request", .runs = 2, .faults = 2, .changes = 2, .refusal = true, .reader = true}},
    {Form::only_long, {.name = "every record read, two publishers", .fine = false, .publishers = 2, .chunk_rows = 2, .runs = 2, .faults = 2, .changes = 2, .refusal = true, .reader = true}},
    {Form::only_long, {.name = "every record read, restored without bounds", .fine = false, .runs = 2, .changes = 1, .backup = true, .reader = true}},
    {Form::only_long, {.name = "a doubt resolved, changes", .fine = false, .runs = 2, .faults = 2, .changes = 1, .backup = true, .resolving = true, .reader = true}},
    {Form::only_long, {.name = "a doubt resolved, two rows, refused", .fine = false, .chunk_rows = 2, .runs = 2, .faults = 2, .changes = 1, .refusal = true, .backup = true, .resolving = true, .reader = true}},
    {Form::only_long, {.name = "a doubt resolved, two publishers", .fine = false, .publishers = 2, .runs = 2, .faults = 1, .backup = true, .resolving = true, .reader = true}},
    {Form::only_long, {.name = "two companies without bounds", .fine = false, .publishers = 2, .companies = 2, .runs = 2}},
    {Form::only_long, {.name = "two companies, a backup restored", .fine = false, .publishers = 2, .companies = 2, .runs = 2, .faults = 2, .backup = true}},
};

const Mutation k_mutations[] = {
    {"asynchronous_claim", &Rules::durable_claim, "one publisher"},
    {"finish_before_kafka", &Rules::finish_last, "one publisher"},
    {"changed_rows_pass", &Rules::row_version, "one publisher, changes"},
    {"stale_rows_claimed", &Rules::claim_conflicts, "one publisher, changes"},
    {"refusal_ends_chunk", &Rules::rest_is_published, "chunks of two rows, one refused, changes"},
    {"chunk_keeps_its_id", &Rules::new_chunk_id, "a backup restored, changes, one refused"},
    {"marker_outside", &Rules::marker_with_rows, "one publisher"},
    {"any_answer_commits", &Rules::failure_is_no_answer, "one publisher"},
    {"no_taint", &Rules::taint, "one publisher"},
    {"failed_means_unpublished", &Rules::recovery, "one publisher"},
    {"fresh_transactional_id", &Rules::one_id_a_slot, "one publisher"},
    {"marker_before_fencing", &Rules::init_before_scan, "one publisher"},
    {"uncommitted_markers", &Rules::read_committed, "one publisher"},
    {"cancel_gives_back_at_once", &Rules::cancel_asks, "one publisher, a run cancelled"},
    {"no_slot_lock", &Rules::slot_lock, "two publishers, a run cancelled"},
    {"chunks_overtake", &Rules::in_order, "two publishers, one task"},
    {"anybody_claims", &Rules::one_holder, "two publishers, one task"},
    {"any_left_chunk_first", &Rules::own_chunk_first, "two publishers"},
    {"any_marker_counts", &Rules::equality, "a backup restored"},
    {"noted_before_judged", &Rules::judge_before_noting, "a backup restored"},
    {"unknown_marker_passes", &Rules::doubt, "a backup restored"},
    {"no_settling", &Rules::settle_all, "a backup restored, two publishers"},
    {"settled_for_ever", &Rules::settle_each_start, "a backup restored, two publishers"},
    {"forgotten_slots_pass", &Rules::slots_of_kafka, "a backup restored, two publishers"},
    {"settled_by_the_clock", &Rules::start_by_equality, "a standby promoted"},
    {"lost_markers_pass", &Rules::lost_markers, "markers lost"},
    {"no_first_marker", &Rules::first_marker, "markers lost"},
    {"newest_marker_only", &Rules::any_place, "a backup restored, the doubt resolved"},
    {"random_record_id", &Rules::record_id, "every record read"},
    {"record_id_of_the_number", &Rules::record_start, "every record read, a backup restored"},
    {"others_slots_pass", &Rules::settle_others, "two companies, a backup restored", Form::only_long},
    {"no_identity", &Rules::identity, "a clone"},
};

constexpr std::size_t k_most_states = 100'000'000;

class Report {
public:
  explicit Report(bool is_long) : long_(is_long) {}

  void scenario(const Scenario &scenario) {
    if (scenario.form == Form::only_long && !long_) return;
    Found const found = timed({.rules = {}, .bounds = scenario.bounds});
    judge(found.complete && found.violation == Violation::none, scenario.bounds.name, found,
          found.violation != Violation::none ? text_of(found.violation) : found.complete ? "nothing found" : "too many states");
    if (found.violation != Violation::none) trace(found);
  }

  void mutation(const Mutation &mutation) {
    if (mutation.form == Form::only_long && !long_) return;
    Setup setup{};
    setup.rules.*mutation.rule = false;
    for (const Scenario &scenario : k_scenarios)
      if (std::strcmp(scenario.bounds.name, mutation.scenario) == 0) setup.bounds = scenario.bounds;
    Found const found = timed(setup);
    judge(found.violation != Violation::none, mutation.name, found, text_of(found.violation));
    std::printf("        in: %s\n", mutation.scenario);
    trace(found);
  }

  int end() const {
    std::printf("%d passed, %d failed; %zu states, %zu steps\n", passed_, failed_, states_, steps_);
    return failed_ == 0 ? 0 : 1;
  }

private:
  Found timed(const Setup &setup) {
    auto const start = std::chrono::steady_clock::now();
    Found found = search(setup, k_most_states);
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    states_ += found.states;
    steps_ += found.steps;
    return found;
  }

  void judge(bool good, const char *name, const Found &found, const char *what) {
    (good ? passed_ : failed_)++;
    std::printf("%s  %-46s %9zu states %10zu steps, depth %3zu, %5.1f s: %s\n", good ? "ok    " : "FAILED", name, found.states, found.steps,
                found.depth, seconds_, what);
    std::fflush(stdout);
  }

  static void trace(const Found &found) {
    for (std::size_t i = 0; i < found.trace.size(); i++) std::printf("        %3zu  %s\n", i + 1, found.trace[i].c_str());
  }

  bool long_;
  int passed_ = 0, failed_ = 0;
  std::size_t states_ = 0, steps_ = 0;
  double seconds_ = 0;
};

}  // namespace
}  // namespace model

int main(int argc, char **argv) {
  try {
    model::Report report(argc > 1 && std::strcmp(argv[1], "--long") == 0);
    for (const model::Scenario &scenario : model::k_scenarios) report.scenario(scenario);
    for (const model::Mutation &mutation : model::k_mutations) report.mutation(mutation);
    return report.end();
  } catch (const std::exception &e) {
    std::fprintf(stderr, "model: %s\n", e.what());
    return 2;
  }
}
