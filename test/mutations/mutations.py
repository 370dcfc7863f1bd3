"""The rules of the protocol that can be switched off, and the tests that must then fail.

The names stand in the sources: `if (MIGRATOR_MUTATION("name"))`. See src/publish/README.md for the protocol.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    name: str
    rule: str  # what holds without the mutation
    tests: tuple[str, ...]  # below test/e2e; each alone must notice
    reason: str  # regular expression for what each of them then says first


KILLED = "test_failpoints.py::test_client_killed"
RULES = "test_rules.py::test_"
# Of the oracle, and of the protocol itself:
MISSING = r"\d+ messages are missing"
GONE = "has no marker of ours any more"  # that of a transaction which was none
DOUBLED = r"\d+ messages are doubled or foreign"

MUTATIONS = (
    # Claim and finish
    Mutation(
        "asynchronous_claim",
        "A claim is on disk before its first byte leaves.",
        (RULES + "a_claim_survives_the_server",),
        r"Kafka holds a marker of chunk .* that this database does not know",
    ),
    Mutation("finish_before_kafka", "Rows become DONE only after Kafka has committed them.", (KILLED + "[mid_produce]",), MISSING),
    Mutation(
        "changed_rows_pass",
        "A row that changed since the claim is neither DONE nor published again.",
        (RULES + "a_row_that_changed_is_not_done",),
        "a row that has changed was not given back",
    ),
    Mutation(
        "refusal_ends_chunk",
        "What is left of a chunk with refused rows is published.",
        (RULES + "refused_rows_leave_the_rest_of_their_chunk",),
        "the rest of the chunk was not published",
    ),
    Mutation("random_record_id", "Publishing again gives the same recordIds.", (KILLED + "[before_answer]",), MISSING),
    Mutation(
        "chunks_overtake",
        "The chunks of a task are published in their order.",
        (RULES + "a_chunk_waits_for_the_one_before_it",),
        "a chunk overtook the one before it",
    ),
    # The transaction
    Mutation("marker_outside", "The marker is part of the transaction.", (KILLED + "[end_txn_sent]",), DOUBLED),
    Mutation("any_answer_commits", "Only success of the commit means committed.", (RULES + "a_failed_commit_is_no_commit",), GONE),
    Mutation(
        "no_taint",
        "A producer whose commit may still be under way begins no other transaction.",
        ("test_faults_proxy.py::test_late_commit_hits_no_other_transaction",),
        DOUBLED,
    ),
    # Recovery
    Mutation(
        "failed_means_unpublished",
        "What became of a failed publish is asked of Kafka.",
        (KILLED + "[before_answer]",),
        DOUBLED,
    ),
    Mutation(
        "fresh_transactional_id",
        "A slot keeps its transactional id, so that each start fences the one before.",
        (RULES + "no_earlier_owner_commits_after_the_markers_are_read",),
        "DID NOT RAISE .*KafkaException",
    ),
    Mutation(
        "marker_before_fencing",
        "The marker is read only after the owners before are fenced.",
        (RULES + "no_earlier_owner_commits_after_the_markers_are_read",),
        "DID NOT RAISE .*KafkaException",
    ),
    Mutation("uncommitted_markers", "Only committed markers are read.", (KILLED + "[after_marker]",), MISSING),
    Mutation(
        "any_marker_counts",
        "A marker counts if it bears the chunk's UUID, not if it is newer.",
        (RULES + "the_marker_of_another_chunk_does_not_count",),
        MISSING,
    ),
    Mutation(
        "unknown_marker_passes",
        "An unknown marker stops the slot in doubt.",
        (RULES + "every_slot_is_asked_before_anything_is_published", "test_faults_restore.py::test_clone_of_a_database_that_went_on"),
        "an unknown marker was passed over",
    ),
    Mutation(
        "lost_markers_pass",
        "A marker topic shorter than it was stops the slot in doubt.",
        (RULES + "lost_markers_are_noticed[0]", RULES + "lost_markers_are_noticed[2]"),
        "the loss of the markers went unnoticed",
    ),
    Mutation(
        "no_first_marker",
        "A slot has a marker before its first chunk, so that their loss is always seen.",
        (RULES + "lost_markers_are_noticed[0]",),
        "the loss of the markers went unnoticed",
    ),
    Mutation(
        "chunk_keeps_its_id",
        "A chunk that is published again with fewer rows gets another UUID.",
        ("test_faults_restore.py::test_restored_chunk_that_was_published_without_a_row",),
        "a row that was never published is DONE",
    ),
    Mutation(
        "no_settling",
        "Every slot that was ever used is asked before a run claims.",
        (RULES + "every_slot_is_asked_before_anything_is_published",),
        "an unknown marker was passed over",
    ),
    Mutation(
        "forgotten_slots_pass",
        "So is every slot that only Kafka remembers.",
        (RULES + "a_slot_that_only_kafka_remembers_is_asked",),
        "a slot that only Kafka remembers was not asked",
    ),
    Mutation(
        "others_slots_pass",
        "A slot that another run is about to open is waited for.",
        (RULES + "a_slot_that_another_company_opens_is_waited_for",),
        "the other company did not wait",
    ),
    Mutation(
        "no_identity",
        "A copy of the database publishes nothing.",
        ("test_faults_restore.py::test_clone_publishes_nothing_until_adopted",),
        "a copy of the database started a run",
    ),
)
