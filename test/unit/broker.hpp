#pragma once
// The real broker of the tests that need one, named by MIGRATOR_TEST_BROKER (host:port).

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "kafka/handle.hpp"

namespace migrator::kafka {
using DeleteTopic = std::unique_ptr<rd_kafka_DeleteTopic_t, Destroy<rd_kafka_DeleteTopic_destroy>>;
using DeleteRecords = std::unique_ptr<rd_kafka_DeleteRecords_t, Destroy<rd_kafka_DeleteRecords_destroy>>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, Destroy<rd_kafka_topic_partition_list_destroy>>;
}  // namespace migrator::kafka

namespace migrator::test {

using namespace std::chrono_literals;

inline const char *broker() { return std::getenv("MIGRATOR_TEST_BROKER"); }

inline std::string unique(const std::string &name) {
  static std::string const run = std::to_string(std::random_device()());
  static int count = 0;
  return name + "-" + run + "-" + std::to_string(++count);
}

class Admin {
public:
  Admin() {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char reason[256];
    rd_kafka_conf_set(conf, "bootstrap.servers", broker(), reason, sizeof reason);
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason));
    queue_.reset(rd_kafka_queue_new(handle_.get()));
  }
  std::string create(const std::string &name, int partitions = 4, std::vector<std::pair<std::string, std::string>> config = {}) {
    char reason[256];
    kafka::NewTopic const topic(rd_kafka_NewTopic_new(name.c_str(), partitions, 1, reason, sizeof reason));
    for (auto &[key, value] : config) rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());
    rd_kafka_NewTopic_t *topics[] = {topic.get()};
    rd_kafka_CreateTopics(handle_.get(), topics, 1, nullptr, queue_.get());
    expect_done();
    // A broker may show a topic a little later than the controller has created it.
    Deadline const deadline(10s);
    kafka::Topic const created(rd_kafka_topic_new(handle_.get(), name.c_str(), nullptr));
    for (bool there = false; !there && !deadline.passed();) {
      const rd_kafka_metadata_t *raw = nullptr;
      rd_kafka_metadata(handle_.get(), 0, created.get(), &raw, 1000);
      kafka::Metadata const metadata(raw);
      there = metadata && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return name;
  }
  void set(const std::string &topic, const std::string &key, const std::string &value) {
    kafka::ConfigResource const resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    rd_kafka_ConfigResource_set_config(resource.get(), key.c_str(), value.c_str());
    rd_kafka_ConfigResource_t *resources[] = {resource.get()};
    rd_kafka_AlterConfigs(handle_.get(), resources, 1, nullptr, queue_.get());
    expect_done();
    std::this_thread::sleep_for(300ms);  // the broker applies it a little later, and tells nobody when
  }
  void remove(const std::string &name) {
    kafka::DeleteTopic const topic(rd_kafka_DeleteTopic_new(name.c_str()));
    rd_kafka_DeleteTopic_t *topics[] = {topic.get()};
    rd_kafka_DeleteTopics(handle_.get(), topics, 1, nullptr, queue_.get());
    expect_done();
  }
  // What retention does: offsets below are gone.
  void delete_records(const std::string &topic, int partition, std::int64_t before) {
    kafka::PartitionList const list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = before;
    kafka::DeleteRecords const records(rd_kafka_DeleteRecords_new(list.get()));
    rd_kafka_DeleteRecords_t *all[] = {records.get()};
    rd_kafka_DeleteRecords(handle_.get(), all, 1, nullptr, queue_.get());
    expect_done();
  }

private:
  void expect_done() {
    kafka::Event const event(rd_kafka_queue_poll(queue_.get(), 30000));
    ASSERT_TRUE(event);
    ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR) << rd_kafka_event_error_string(event.get());
  }
  kafka::Handle handle_;
  kafka::Queue queue_;
};

}  // namespace migrator::test
