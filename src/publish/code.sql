create or replace function migrator.resolve_in_doubt(server text, slot integer) returns text
  language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_doubt text;
begin
  update migrator.slot s
  set in_doubt = null, in_doubt_offset = null, recovered_for = null,
      next_marker_offset = coalesce(s.in_doubt_offset + 1, 0), cluster_id = case when s.in_doubt_offset is not null then s.cluster_id end
  where s.server = resolve_in_doubt.server and s.slot = resolve_in_doubt.slot and s.in_doubt is not null
  returning s.in_doubt into found_doubt;
  if not found then
    raise object_not_in_prerequisite_state using message = format('slot %s of server "%s" is not in doubt', slot, server),
      hint = 'See migrator.slot.';
  end if;
  insert into in_migration.log (message)
  values (format('slot %s of server "%s" settled by %s, was: %s', slot, server, session_user, found_doubt));
  return format('settled: slot %s of server "%s" goes on from what this database knows', slot, server);
end
$$;
comment on function migrator.resolve_in_doubt(text, integer) is
  'After looking: goes on with what this database knows, though Kafka holds a marker that it does not. What that chunk published is published again if its rows are here.';
revoke all on function migrator.resolve_in_doubt(text, integer) from public;
grant execute on function migrator.resolve_in_doubt(text, integer) to migrator_admin;
grant select on migrator.slot, migrator.chunk to migrator_reader;
