create table migrator.migration (
  id bigint generated always as identity primary key,
  company text not null references migrator.company on update cascade on delete cascade,
  state text not null default 'RUNNING' check (state in ('RUNNING', 'DONE', 'CANCELLED')),
  paused boolean not null default false,
  stage integer not null default 0,
  tracking_id integer not null,
  boundary text,
  waiting text,
  rows_total bigint not null default 0,
  rows_refused bigint not null default 0,
  started_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  heartbeat_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  finished_at timestamp with time zone
);
create unique index migration_runs_once on migrator.migration (company) where state = 'RUNNING';
comment on table migrator.migration is 'Runs of the IN migration.';
comment on column migrator.migration.id is 'The migration id: occupied_id of the rows, occupied_by_process of process_tracking.';
comment on column migrator.migration.company is 'Code of the company.';
comment on column migrator.migration.state is 'RUNNING, DONE or CANCELLED.';
comment on column migrator.migration.paused is 'True: nothing is claimed until resume_migration.';
comment on column migrator.migration.stage is 'The stage whose tasks are being worked on; 0 before BEGIN is done.';
comment on column migrator.migration.tracking_id is 'The row of process_tracking.';
comment on column migrator.migration.boundary is 'Snapshot (pg_snapshot) at the start: what came later waits for the next run.';
comment on column migrator.migration.waiting is 'Why nothing moves at the moment; null while work goes on.';
comment on column migrator.migration.rows_total is 'Rows that were waiting when the run began.';
comment on column migrator.migration.rows_refused is 'Rows among them that went to err before anything was claimed: in_id more than once.';
comment on column migrator.migration.started_at is 'Start of the run.';
comment on column migrator.migration.heartbeat_at is 'Last sign of life of the runner.';
comment on column migrator.migration.finished_at is 'End of the run.';

create table migrator.hook (
  company text not null references migrator.company on update cascade on delete cascade,
  name text not null,
  position integer not null default 0,
  command text not null,
  run_as name not null default current_user,
  primary key (company, name)
);
comment on table migrator.hook is 'SQL that RUN_PROCESSES executes after a migration, in the order of position and name.';
comment on column migrator.hook.company is 'Code of the company.';
comment on column migrator.hook.name is 'Identity of the hook within the company.';
comment on column migrator.hook.position is 'Order of execution.';
comment on column migrator.hook.command is 'One SQL statement; $1 is the migration id, as text.';
comment on column migrator.hook.run_as is 'Role that the statement runs as: whoever registered it.';

create table in_migration.copy_table_info (
  id bigint generated always as identity primary key,
  company text not null,
  table_name text not null,
  copy_name text not null,
  rows bigint not null,
  created_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  dropped_at timestamp with time zone
);
comment on table in_migration.copy_table_info is 'Copies of the in-tables, made before a run once a day and dropped after company.copy_days.';
comment on column in_migration.copy_table_info.id is 'Number of the entry.';
comment on column in_migration.copy_table_info.company is 'Code of the company.';
comment on column in_migration.copy_table_info.table_name is 'The table, with its schema.';
comment on column in_migration.copy_table_info.copy_name is 'The copy, with its schema.';
comment on column in_migration.copy_table_info.rows is 'Rows copied.';
comment on column in_migration.copy_table_info.created_at is 'When it was made.';
comment on column in_migration.copy_table_info.dropped_at is 'When it was dropped; null while it exists.';

create table in_migration.errors (
  id bigint generated always as identity primary key,
  company text,
  migration_id bigint,
  place text not null,
  sqlstate text not null,
  message text not null,
  at timestamp with time zone not null default pg_catalog.clock_timestamp()
);
create index errors_at on in_migration.errors (at);
comment on table in_migration.errors is 'Unexpected errors of the workers.';
comment on column in_migration.errors.id is 'Number of the entry.';
comment on column in_migration.errors.company is 'Code of the company.';
comment on column in_migration.errors.migration_id is 'The migration.';
comment on column in_migration.errors.place is 'What was being done.';
comment on column in_migration.errors.sqlstate is 'SQLSTATE.';
comment on column in_migration.errors.message is 'The message; no row values.';
comment on column in_migration.errors.at is 'When.';

create table in_migration.log (
  id bigint generated always as identity primary key,
  company text,
  migration_id bigint,
  message text not null,
  at timestamp with time zone not null default pg_catalog.clock_timestamp()
);
create index log_at on in_migration.log (at);
comment on table in_migration.log is 'Expected events: starts, waits with their reason, ends.';
comment on column in_migration.log.id is 'Number of the entry.';
comment on column in_migration.log.company is 'Code of the company.';
comment on column in_migration.log.migration_id is 'The migration.';
comment on column in_migration.log.message is 'What happened.';
comment on column in_migration.log.at is 'When.';

create table in_migration.migrated_table (
  company text not null,
  bo text not null,
  migration_id bigint not null,
  rows bigint not null,
  migrated_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
  primary key (migration_id, bo)
);
comment on table in_migration.migrated_table is 'What was migrated and when: one row a table and run.';
comment on column in_migration.migrated_table.company is 'Code of the company.';
comment on column in_migration.migrated_table.bo is 'Code of the BO.';
comment on column in_migration.migrated_table.migration_id is 'The migration.';
comment on column in_migration.migrated_table.rows is 'Rows whose message is committed in Kafka.';
comment on column in_migration.migrated_table.migrated_at is 'When the last of them was.';

select pg_catalog.pg_extension_config_dump('migrator.migration', '');
select pg_catalog.pg_extension_config_dump('migrator.hook', '');
select pg_catalog.pg_extension_config_dump('in_migration.copy_table_info', '');
select pg_catalog.pg_extension_config_dump('in_migration.errors', '');
select pg_catalog.pg_extension_config_dump('in_migration.log', '');
select pg_catalog.pg_extension_config_dump('in_migration.migrated_table', '');
select pg_catalog.pg_extension_config_dump('migrator.migration_id_seq', '');
select pg_catalog.pg_extension_config_dump('in_migration.copy_table_info_id_seq', '');
select pg_catalog.pg_extension_config_dump('in_migration.errors_id_seq', '');
select pg_catalog.pg_extension_config_dump('in_migration.log_id_seq', '');
