create or replace function migrator.kafka_check(server text,
    out "check" text, out ok boolean, out detail text, out remedy text) returns setof record
  language c strict security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_kafka_check';
comment on function migrator.kafka_check(text) is
  'Connects to a Kafka cluster and says what was found: reachable, version, topics, rights, transactions; with the remedy for each fault.';
revoke all on function migrator.kafka_check(text) from public;
grant execute on function migrator.kafka_check(text) to migrator_operator;

create or replace function migrator.transactional_id(server text, slot integer) returns text
  language sql stable strict set search_path = pg_catalog, pg_temp as $$
  select format('migrator-%s-%s-%s', i.id, transactional_id.server, transactional_id.slot) from migrator.identity i
$$;
comment on function migrator.transactional_id(text, integer) is
  'The transactional.id that a slot uses in Kafka; for rights (ACLs) the prefix "migrator-" suffices.';

create or replace function migrator.marker_topic() returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((select '__migrator_markers-' || left(i.id::text, 8) from migrator.identity i), '__migrator_markers')
$$;
comment on function migrator.marker_topic() is
  'The topic in which each Kafka transaction leaves its marker; made by the extension, compacted, one partition a slot.';
revoke all on function migrator.transactional_id(text, integer), migrator.marker_topic() from public;
grant execute on function migrator.transactional_id(text, integer), migrator.marker_topic() to migrator_reader;
