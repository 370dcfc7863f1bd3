// A Kafka broker for the demo: librdkafka's mock cluster, without Java and without files. It holds the topics of its
// arguments (name:partitions), prints its address on one line and lives until its standard input closes or a signal comes.
//
// It keeps no promise of transactions (an abort is not simulated): nothing is proven on it, only shown.

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

using Handle = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
using Cluster = std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&rd_kafka_mock_cluster_destroy)>;

// The mock cluster lives on the threads of a client handle, which itself connects to nothing.
Handle make_handle() {
  char reason[256];
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  // Librdkafka 2.0.2 tells of every connection at its own normal level.
  if (rd_kafka_conf_set(conf.get(), "log_level", "3", reason, sizeof reason) != RD_KAFKA_CONF_OK)
    throw std::runtime_error(reason);
  Handle handle(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason, sizeof reason), &rd_kafka_destroy);
  if (!handle) throw std::runtime_error(reason);
  conf.release();  // it belongs to the handle now
  return handle;
}

void create_topic(rd_kafka_mock_cluster_t *cluster, const std::string &argument) {
  const auto colon = argument.rfind(':');
  if (colon == std::string::npos) throw std::runtime_error("a topic is given as name:partitions, not as " + argument);
  const int partitions = std::stoi(argument.substr(colon + 1));
  const auto fault = rd_kafka_mock_topic_create(cluster, argument.substr(0, colon).c_str(), partitions, 1);
  if (fault != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(argument + ": " + rd_kafka_err2str(fault));
}

}  // namespace

int main(int argc, char **argv) try {
  const Handle handle = make_handle();
  const Cluster cluster(rd_kafka_mock_cluster_new(handle.get(), 1), &rd_kafka_mock_cluster_destroy);
  if (!cluster) throw std::runtime_error("the mock cluster could not be created");
  for (int i = 1; i < argc; ++i) create_topic(cluster.get(), argv[i]);
  std::cout << rd_kafka_mock_cluster_bootstraps(cluster.get()) << std::endl;
  while (std::getchar() != EOF) {}
  return EXIT_SUCCESS;
} catch (const std::exception &error) {
  std::cerr << "mock_broker: " << error.what() << '\n';
  return EXIT_FAILURE;
}
