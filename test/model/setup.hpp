#pragma once
// What is explored: the rules of the protocol, each of which a mutation can switch off, and the bounds of a scenario.

namespace model {

struct Rules {
  // Kafka's side of a slot
  bool init_before_scan = true;      // init_transactions first, then the markers are read
  bool one_id_a_slot = true;         // the same transactional id for every start
  bool read_committed = true;        // markers of aborted transactions are not seen
  bool marker_with_rows = true;      // one transaction for both
  bool taint = true;                 // a producer whose EndTxn was repeated is replaced
  // the database's side
  bool equality = true;              // marker and claimed chunk are compared by =, not by >=
  bool doubt = true;                 // an unknown marker stops everything
  bool any_place = true;             // after the doubt the claimed chunk's marker counts, wherever it stands
  bool lost_markers = true;          // so does a partition without a marker, though one is known
  bool first_marker = true;          // before anything is claimed, a slot has a marker that can be missed
  bool recovery = true;              // a failure is no answer: the marker is
  bool finish_last = true;           // DONE after Kafka's commit
  bool judge_before_noting = true;   // a marker becomes the last one known only when it was judged
  bool durable_claim = true;         // on disk before the first byte leaves
  bool claim_conflicts = true;       // a claim fails if a row changed since it was read
  bool row_version = true;           // only rows that still bear the claim's transaction id become DONE
  bool cancel_asks = true;           // rows of a cancelled run go back only when Kafka does not have them
  bool slot_lock = true;             // one owner at a time
  bool settle_all = true;            // every slot is opened once before a run claims
  bool settle_each_start = true;     // and again after a restart of the server
  bool failure_is_no_answer = true;  // only "committed" means committed
  bool rest_is_published = true;     // of a chunk with a refused row
  bool new_chunk_id = true;          // a chunk that is published again with fewer rows
  bool in_order = true;              // nobody claims from a task while a chunk of it is on its way
  bool one_holder = true;            // of a task
  bool own_chunk_first = true;       // who holds a claimed chunk publishes it before it takes up another's
  bool settle_others = true;         // also a slot that another run is about to open
  bool start_by_equality = true;     // "opened by this server" is no comparison of times
  bool slots_of_kafka = true;        // also a slot that only Kafka remembers
  bool record_id = true;             // of row and run: publishing again gives the same one
  bool record_start = true;          // of the run's start, not of its number alone
  bool identity = true;              // a copy of the database does not publish
};

// Crashes of clients, workers and of the server, lost requests and answers, repeated and late EndTxn and InitProducerId
// and timeouts of transactions are part of every scenario, as often as they like unless `faults` says less. What must
// have a bound:
constexpr int k_no_bound = -1;

struct Bounds {
  const char *name = "";
  bool fine = true;                  // each request by itself, and processes that outlive their worker; else a transaction
                                     // is one step up to its EndTxn, and of a dead process only its requests go on
  int publishers = 1;
  int companies = 1;                 // two: each has a row and a publisher, and they share the slots
  int chunk_rows = 1;                // of the two rows; 2: both go in one chunk
  bool ordered = false;              // they are one task, which one publisher at a time holds: links of one owner
  int runs = 1;                      // the last one is never cancelled
  int faults = k_no_bound;
  int changes = 0;                   // by the supplier, and retries of what failed
  bool refusal = false;              // the broker refuses the first content of the first row
  bool backup = false;               // one, restored once
  bool resolving = false;            // doubts after a restore or a loss are resolved by the operator
  bool promotion = false;            // the backup is a standby, which was running all the time
  bool reader = false;               // of every record, also of aborted ones, who discards what bears a recordId that he has seen
  bool loss = false;                 // the marker topic is made anew, or a partition's records are deleted, once
  bool clone = false;                // one, at another place; adopted when the original has stopped
};

struct Setup {
  Rules rules;
  Bounds bounds;
};

}  // namespace model
