"""What a run leaves behind for migrator.advise_workers."""

from collections.abc import Callable

from harness import Broker, Cluster
from helpers import Company, bo, document, field


def test_a_run_is_measured(broker: Broker, make_topic: Callable[..., str]) -> None:
    with Cluster(settings={"migrator.chunk_rows": "2000"}) as cluster, cluster.database("migrator") as database:
        company = Company(database, broker, make_topic(), document(bo("Thing", field("Name"))), workers=1, copy_days=0)
        company.supply("insert into in_thing (in_id, name) select 't' || i, 'Name ' || i from generate_series(1, 12000) i")
        migration = company.migrate()
        (times,) = database.query(
            """select bool_and(least(reading, encoding, writing, publishing) > interval '0'),
                      sum(reading + encoding + writing + publishing) <= max(finished_at) - min(claimed_at - reading - encoding - writing)
                 from migrator.chunk where migration_id = %s""",
            migration,
        )
        assert times == (True, True)  # one worker cannot have spent more time than there was
        ((workers, rows, speed, *shares),) = database.query(
            "select workers, rows, rows_per_second, reading, encoding, status_writes, kafka from migrator.run_speed where migration_id = %s", migration
        )
        assert (workers, rows) == (1, 12000)
        assert speed > 0
        assert 97 <= sum(shares) <= 103
        assert min(shares) >= 0
        (advice,) = database.query("select advised, reason from migrator.advise_workers(%s)", company.code)
        assert advice == (2, "2 workers have not been tried yet")
