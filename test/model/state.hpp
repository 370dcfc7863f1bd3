#pragma once
// One state of everything: databases, publishers, their client processes, and Kafka. Bytes only, all below 16, so that
// two states are equal if their bytes are, and half a byte each is enough to store them.

#include <array>
#include <cstdint>

namespace model {

using Byte = std::uint8_t;

constexpr int k_rows = 2, k_slots = 2, k_publishers = 2, k_contents = 3;
constexpr int k_random = 8;          // in a recordId: added to the run's part, which is less
constexpr Byte k_chunks = 13;        // ids: 1 to 13; 0 is none
constexpr Byte k_no_marker = 15;     // in place of a chunk's id: its marker is lost
constexpr Byte k_first_marker = 14;  // id of a slot's first marker; 15 if the name was drawn after a restore

enum Status : Byte { waiting, on_work, done, error };
enum RunState : Byte { none, running, cancelled, ended };
enum Doubt : Byte { no_doubt, unknown_marker, nothing_found };

struct Row {
  Byte status;
  Byte content;                      // grows with each change
  Byte claim;                        // chunk whose claim wrote this version of the row (xmin); 0: somebody else did
  Byte late;                         // written since the company's run was planned: goes with the next one
};

struct Slot {
  Byte exists;                       // the database remembers it
  Byte doubt;
  Byte accepted;                     // markers that are passed over, known or not
  Byte next;                         // markers up to the newest one that the database knows
  Byte last;                         // that one's id; while there is none, the id that the first one will bear
  Byte recovered_for;                // run
  Byte since_start;                  // recovered since the server started
  Byte chunk, chunk_run, chunk_rows; // CLAIMED
  Byte chunk_left;                   // rows that its id stands for
};

struct Run {
  Byte id, state, planned;
  Byte start;                        // no two runs have the same; kept only for a reader
};

struct Database {
  Row row[k_rows];
  Slot slot[k_slots];
  Run run[k_rows];                   // of each company
  Byte last_run;
  Byte known[4];                     // chunks, as bits; four a byte
  bool knows(Byte chunk) const { return known[chunk / 4] >> (chunk % 4) & 1; }
  void learn(Byte chunk) { known[chunk / 4] = static_cast<Byte>(known[chunk / 4] | 1 << (chunk % 4)); }
};

// Rows of a chunk with the content that they had when they were read.
struct Batch {
  Byte chunk;
  Byte rows;                         // bits
  Byte content[k_rows];
  Byte record;                       // what makes their recordIds; kept only for a reader
};

enum class At : Byte { absent, dead, init, scan, idle, rows, marker, send, wait, answer, refused };

struct Client {
  Byte at;
  Byte slot;
  Byte fresh;                        // its epoch is the coordinator's
  Byte former;                       // it works under an id that is not used any more
  Byte repeated;                     // EndTxn was sent more than once
  Byte produced;                     // rows, as bits
  Byte marked;                       // the marker is produced: markers up to it; 0: not yet
  Batch batch;
  At where() const { return static_cast<At>(at); }
  void go(At place) { at = static_cast<Byte>(place); }
  bool alive() const { return where() != At::absent && where() != At::dead; }
};

// What a publisher is about to do.
enum class Todo : Byte { nothing, opening, recover, recover_on, look, claim, early, publishing, finish, refuse };

struct Publisher {
  Byte todo;
  Byte run, run_start;
  Byte slot;                         // 0: none, else its number + 1
  Byte seen;                         // newest marker that the scan found
  Byte seen_count;                   // markers up to it
  Batch batch;
  Client client;
  Todo next() const { return static_cast<Todo>(todo); }
  void plan(Todo what) { todo = static_cast<Byte>(what); }
};

enum TransactionState : Byte { empty, ongoing, prepare_commit, prepare_abort, complete_commit };

// A transactional id: its coordinator's state, its partition of the marker topic, and what is on its way.
struct Kafka {
  Byte state;
  Byte rows, content[k_rows], marker;  // of the transaction
  Byte markers, newest;              // committed: how many, and the newest one's chunk
  Byte raw;                          // newest marker, committed or not; kept only when a mutation reads it
  Byte used;                         // a marker was ever written
  Byte ends;                         // EndTxn(commit) on their way, of the transaction under way
  Byte late;                         // and of whoever sent them before; both bear the current epoch: older ones have no effect
  Byte inits;                        // InitProducerId of a process that is gone
};

struct State {
  Database database;
  Database other;                    // a backup or a clone; with an asynchronous claim: what is on disk
  Byte has_other;
  Publisher publisher[k_publishers];
  Client orphan[k_slots];            // its worker is gone and it has not noticed
  Kafka kafka[k_slots];
  Kafka former[k_slots];             // of an id that is not used any more; only a mutation has it
  Byte committed[k_rows][k_contents];  // 0: not; else 1, or where doubts are resolved the chunk, or k_no_marker
  Byte newest_content[k_rows];
  Byte seen_record[k_rows][k_contents];  // by the reader, newest
  Byte starts, random;
  Byte holder;                       // of the task: number of the publisher + 1; 0: nobody, or tasks are left out
  Byte last_chunk;
  Byte changes, faults;
  Byte restored, cloned, adopted, lost;
  Byte unflushed;
  Byte violation;
};

}  // namespace model
