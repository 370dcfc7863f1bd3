create or replace function migrator.apply_boi_input(company text, message text) returns text
  language c strict security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_apply_boi_input';
comment on function migrator.apply_boi_input(text, text) is
  'Applies one message to the store: inserted, updated, unchanged, merged, skipped or duplicate. An error leaves nothing behind.';

-- Whoever applies messages holds this lock shared: neither sees the structure of the other's unfinished transaction.
create or replace function migrator.structure_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('migrator:structure ' || coalesce(old.company, new.company), 0)),
          nextval('migrator.structure_version');
  return null;
end
$$;
comment on function migrator.structure_changed() is 'Trigger: structures that others have cached are out of date.';
create or replace trigger structure_changed after insert or update or delete on migrator.bo
  for each row execute function migrator.structure_changed();
create or replace trigger structure_changed after insert or update or delete on migrator.field
  for each row execute function migrator.structure_changed();
create or replace trigger structure_changed after insert or update or delete on migrator.co_member
  for each row execute function migrator.structure_changed();
create or replace trigger structure_changed after insert or update or delete on migrator.co_field_map
  for each row execute function migrator.structure_changed();

grant usage on sequence migrator.structure_version to migrator_admin;
revoke execute on function migrator.apply_boi_input(text, text), migrator.structure_changed() from public;
grant execute on function migrator.apply_boi_input(text, text) to migrator_operator;
