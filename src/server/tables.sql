create or replace function migrator.kafka_options(options text[], catalog oid) returns void
  language c strict set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_kafka_options';
comment on function migrator.kafka_options(text[], oid) is
  'Validator of migrator_kafka: refuses unknown and dangerous options, and values that librdkafka does not accept.';

create foreign data wrapper migrator_kafka no handler validator migrator.kafka_options;
comment on foreign data wrapper migrator_kafka is
  'Kafka clusters. Options are librdkafka''s properties; secrets belong into user mappings.';
grant usage on foreign data wrapper migrator_kafka to migrator_admin;

-- Which server this database belongs to. A copy of the database finds itself elsewhere and publishes nothing until
-- migrator.adopt().
create table migrator.identity (
  id uuid primary key default pg_catalog.gen_random_uuid(),
  system_identifier text not null,
  database_oid oid not null,
  data_directory text not null,
  adopted_at timestamp with time zone not null default pg_catalog.clock_timestamp()
);
create unique index identity_is_one_row on migrator.identity ((true));
comment on table migrator.identity is 'The server and database that may publish; one row. Compared before every run.';
comment on column migrator.identity.id is 'Part of the transactional ids in Kafka; stays the same for the life of the data.';
comment on column migrator.identity.system_identifier is 'System identifier of the cluster.';
comment on column migrator.identity.database_oid is 'Oid of the database.';
comment on column migrator.identity.data_directory is 'Data directory of the cluster.';
comment on column migrator.identity.adopted_at is 'When the extension was created or migrator.adopt() was called.';

select pg_catalog.pg_extension_config_dump('migrator.identity', '');
