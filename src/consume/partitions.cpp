#include "consume/partitions.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "consume/settings.hpp"
#include "pg/transaction.hpp"

namespace migrator::consume {

void Partitions::look(const Control &control) {
  if (control.topics.empty()) return;
  if (control.server.empty()) throw Error(sqlstate::not_in_prerequisite_state, "kafka_server of company \"" + consumption_.company() + "\" is not set");
  if (server_ != control.server) client_.reset();
  wire::Look request{.properties = {}, .topics = control.topics, .deadline_ms = k_look_deadline};
  {
    pg::Transaction transaction;
    request.properties = server::properties(control.server);
    transaction.commit();
  }
  if (client_ == nullptr) {
    client_ = std::make_unique<server::Client>();
    client_->set_watch(watch_);
    server_ = control.server;
  }
  // Taken out for the time of the question: without an answer the process is of no more use.
  std::unique_ptr<server::Client> client = std::move(client_);
  auto const seen = wire::decode<wire::Seen>(client->ask(wire::encode(request), wire::Type::seen, request.deadline_ms));
  client_ = std::move(client);

  std::vector<std::string> topics, counts, problems, names, numbers, lows, ends;
  for (std::size_t i = 0; i < request.topics.size(); ++i) {
    const wire::TopicRanges &topic = seen.topics.at(i);
    topics.push_back(request.topics[i]);
    counts.push_back(std::to_string(topic.partitions.size()));
    problems.push_back(topic.problem);
    for (std::size_t partition = 0; partition < topic.partitions.size(); ++partition) {
      const wire::Range &range = topic.partitions[partition];
      if (!range.problem.empty()) continue;
      names.push_back(request.topics[i]);
      numbers.push_back(std::to_string(partition));
      lows.push_back(std::to_string(range.low));
      ends.push_back(std::to_string(range.end));
    }
  }
  pg::Transaction transaction;
  pg::execute("update migrator.in_topic t set problem = nullif(u.problem, ''), partitions = case when u.problem = '' then u.partitions else t.partitions end "
              "from unnest($2::text[], $3::integer[], $4::text[]) u (topic, partitions, problem) where t.company = $1 and t.topic = u.topic "
              "and (t.problem is distinct from nullif(u.problem, '') or (u.problem = '' and t.partitions is distinct from u.partitions))",
              {consumption_.company(), pg::array_literal(topics), pg::array_literal(counts), pg::array_literal(problems)});
  std::string const columns = "unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[]) u (topic, partition, low, high) ";
  std::vector<pg::Text> const values{consumption_.company(), pg::array_literal(names), pg::array_literal(numbers), pg::array_literal(lows),
                                     pg::array_literal(ends), seen.cluster_id};
  pg::execute("insert into migrator.in_partition (company, topic, partition, next_offset, end_offset, cluster_id) "
              "select t.company, u.topic, u.partition, u.low, u.high, $6 from " + columns +
                  "join migrator.in_topic t on t.company = $1 and t.topic = u.topic order by 2, 3 on conflict do nothing",
              values);
  // Rows that a consumer holds are being moved by it; the others must not wait for it.
  pg::execute("update migrator.in_partition p set end_offset = u.high, next_offset = coalesce(p.next_offset, u.low), "
              "cluster_id = coalesce(p.cluster_id, $6) from " + columns + "join (select ctid, topic, partition from migrator.in_partition "
              "where company = $1 for update skip locked) f on f.topic = u.topic and f.partition = u.partition "
              "where p.ctid = f.ctid and (p.end_offset is distinct from u.high or p.next_offset is null or p.cluster_id is null)",
              values);
  transaction.commit();
}

int Partitions::distribute(int consumers) const {
  int workers = 0;
  pg::Result moves;
  {
    pg::Transaction transaction;
    std::int64_t const partitions =
        pg::execute("select count(*) from migrator.in_partition where company = $1", {consumption_.company()}).bigint();
    workers = static_cast<int>(std::min<std::int64_t>(consumers, partitions));
    if (workers > 0)
      moves = pg::execute("select * from (select topic, partition, 1 + (row_number() over (order by topic, partition) - 1) % $2::integer as wanted, worker "
                          "from migrator.in_partition where company = $1) w where worker is distinct from wanted order by topic, partition",
                          {consumption_.company(), std::to_string(workers)});
    transaction.commit();
  }
  // One by one: consumers hold rows of theirs while they apply, and whoever waits must hold none.
  for (const std::vector<pg::Text> &move : moves.rows) {
    pg::Transaction transaction;
    pg::execute("update migrator.in_partition set worker = $4::integer where company = $1 and topic = $2 and partition = $3::integer",
                {consumption_.company(), move[0], move[1], move[2]});
    transaction.commit();
  }
  return workers;
}

}  // namespace migrator::consume
