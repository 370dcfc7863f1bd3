-- Applying messages -------------------------------------------------------------------------------------------

create or replace function migrator.apply_boi_input(company text, message text) returns text
  language c strict security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_apply_boi_input';
comment on function migrator.apply_boi_input(text, text) is
  'Applies one message to the store: inserted, updated, unchanged, merged, skipped or duplicate. An error leaves nothing behind.';

create or replace function migrator.apply_boi_input(company text, message jsonb) returns text
  language sql strict set search_path = pg_catalog, pg_temp
as $$ select migrator.apply_boi_input(company, message::text) $$;
comment on function migrator.apply_boi_input(text, jsonb) is 'Applies one message to the store.';

create or replace function migrator.apply_boi_inputs(company text, messages text[])
  returns table (n integer, outcome text, sqlstate text, reason text, detail text)
  language c strict security definer set search_path = pg_catalog, pg_temp
  as 'MODULE_PATHNAME', 'migrator_apply_boi_inputs';
comment on function migrator.apply_boi_inputs(text, text[]) is
  'Applies messages to the store, in their order and many times faster than one by one. A row for each: its outcome, or what is wrong with it; a bad one harms no other.';

-- The form in which src/store/keys.cpp puts values into indexes.
create or replace function migrator.unique_key(value text) returns text
  language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
  select case when octet_length(convert_to(value, 'UTF8')) <= 200 then value
         else left(value, 50) || '... sha256:' || encode(sha256(convert_to(value, 'UTF8')), 'hex') end
$$;
comment on function migrator.unique_key(text) is 'A value as it stands in an index: of more than 200 bytes the first 50 characters and a digest.';

-- Housekeeping ------------------------------------------------------------------------------------------------

-- A link is made as soon as its target comes. This finds what was missed all the same: targets that were there already
-- when a unique field was marked, or that a transaction with another isolation level has brought.
create or replace function migrator.retry_references(company text, row_limit integer default null) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  -- Of the links that can be made; those of one owner are made together.
  owners constant text[] := array(
    select f.owner_id from migrator.found_references(retry_references.company) f order by f.owner_id limit row_limit);
  resolved bigint;
begin
  -- Owners first and in order, as whoever applies messages does.
  perform from migrator.instance o where o.company = retry_references.company and o.id = any (owners) order by o.id for update;
  with done as (
    update in_migration.boi_reference r set resolved_at = now()
    from migrator.found_references(retry_references.company) f
    where f.owner_id = any (owners)
      and r.company = retry_references.company and r.owner_id = f.owner_id and r.field_code = f.field_code and r.to_bo = f.to_bo
      and r.to_field is not distinct from f.to_field and r.value = f.value and r.resolved_at is null
    returning r.owner_id, r.field_code, f.target_id),
  linked as (
    insert into migrator.instance_link (company, owner_id, field_code, target_id)
    select distinct retry_references.company, d.owner_id, d.field_code, d.target_id from done d
    on conflict do nothing),
  stamped as (
    update migrator.instance i set updated_at = now()
    where i.company = retry_references.company and i.id in (select d.owner_id from done d))
  select count(*) into resolved from done;

  delete from migrator.incomplete_reference where ctid = any (array(
    select r.ctid from migrator.incomplete_reference r
    join migrator.instance_link l on l.company = r.company and l.field_code = r.field_code
      and l.owner_id = migrator.instance_id(r.company, r.bo, r.external_id)
      and l.target_id = migrator.instance_id(r.company, r.to_bo, r.to_external_id)
    where r.company = retry_references.company limit row_limit));
  return resolved;
end
$$;
comment on function migrator.retry_references(text, integer) is
  'Makes the waiting links whose target is there, about row_limit of them, and clears what was listed as incomplete and no longer is. Returns the number of links made.';

create or replace function migrator.instance_id(company text, bo text, external_id text) returns text
  language sql stable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
  select i.id from migrator.instance i
  where i.company = instance_id.company and i.bo = instance_id.bo and i.external_id = instance_id.external_id
  union all
  select a.id from migrator.instance_alias a
  where a.company = instance_id.company and a.bo = instance_id.bo and a.external_id = instance_id.external_id
  limit 1
$$;
comment on function migrator.instance_id(text, text, text) is 'The id of the instance that has this external id; null if there is none.';

create or replace function migrator.found_references(company text)
  returns table (owner_id text, field_code text, to_bo text, to_field text, value text, target_id text)
  language sql stable strict set search_path = pg_catalog, pg_temp
as $$
  select r.owner_id, r.field_code, r.to_bo, r.to_field, r.value, u.id
  from in_migration.boi_reference r
  join migrator.instance_unique u on u.company = r.company and u.bo = r.to_bo and u.field = r.to_field and u.value = r.value
  where r.company = found_references.company and r.resolved_at is null
  union all
  select r.owner_id, r.field_code, r.to_bo, r.to_field, r.value, i.id
  from in_migration.boi_reference r
  join migrator.instance i on i.company = r.company and i.bo = r.to_bo and i.external_id = r.value
  where r.company = found_references.company and r.to_field is null and r.resolved_at is null
  union all
  select r.owner_id, r.field_code, r.to_bo, r.to_field, r.value, a.id
  from in_migration.boi_reference r
  join migrator.instance_alias a on a.company = r.company and a.bo = r.to_bo and a.external_id = r.value
  where r.company = found_references.company and r.to_field is null and r.resolved_at is null
$$;
comment on function migrator.found_references(text) is 'Waiting links whose target is there.';

create or replace function migrator.forget_records(company text, older_than interval, row_limit integer default null) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  forgotten bigint;
begin
  delete from migrator.seen_record where ctid = any (array(
    select r.ctid from migrator.seen_record r where r.company = forget_records.company and r.seen_at < now() - older_than limit row_limit));
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;
comment on function migrator.forget_records(text, interval, integer) is
  'Forgets recordIds that were applied longer ago, at most row_limit of them: such a message would be applied again. Returns their number.';

create or replace function migrator.forget_references(company text, waiting_longer_than interval default null, row_limit integer default null)
  returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  forgotten bigint;
begin
  delete from in_migration.boi_reference where ctid = any (array(
    select r.ctid from in_migration.boi_reference r
    where r.company = forget_references.company and (r.resolved_at is not null or r.created_at < now() - waiting_longer_than) limit row_limit));
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;
comment on function migrator.forget_references(text, interval, integer) is
  'Forgets links that were made, and, if an interval is given, those that have waited longer; at most row_limit of them. Returns their number.';

create or replace function migrator.clear_store(company text, bo text default null) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  gone bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('migrator:structure ' || company, 0));
  delete from migrator.instance_link l using migrator.instance i
  where i.company = clear_store.company and (clear_store.bo is null or i.bo = clear_store.bo)
    and l.company = i.company and i.id in (l.owner_id, l.target_id);
  delete from in_migration.boi_reference r using migrator.instance i
  where i.company = clear_store.company and (clear_store.bo is null or i.bo = clear_store.bo)
    and r.company = i.company and r.owner_id = i.id;
  delete from migrator.instance_unique u
  where u.company = clear_store.company and (clear_store.bo is null or u.bo = clear_store.bo);
  delete from migrator.instance_alias a
  where a.company = clear_store.company and (clear_store.bo is null or a.bo = clear_store.bo);
  delete from migrator.incomplete_reference r
  where r.company = clear_store.company and (clear_store.bo is null or r.bo = clear_store.bo);
  delete from migrator.seen_record r where r.company = clear_store.company and clear_store.bo is null;
  delete from migrator.instance i
  where i.company = clear_store.company and (clear_store.bo is null or i.bo = clear_store.bo);
  get diagnostics gone = row_count;
  return gone;
end
$$;
comment on function migrator.clear_store(text, text) is
  'Deletes the instances of a BO, or of the whole company, with everything that belongs to them. Returns their number. There is no way back.';

-- Reading -----------------------------------------------------------------------------------------------------

create or replace function migrator.create_bo_view(company text, bo text, schema text default null, name text default null)
  returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  its_company constant text := migrator.resolve_company(company);
  in_schema constant text := coalesce(schema, lower(its_company collate "C"));
  view_name constant text := coalesce(name, lower(bo collate "C"));
  columns text;
  twice text;
begin
  if not exists (select from migrator.bo b where b.company = its_company and b.code = create_bo_view.bo) then
    raise undefined_object using message = format('BO "%s" does not exist', bo), hint = 'See migrator.bo.';
  end if;
  select string_agg(format('%s as %I', expression, field_name), ', ' order by place, "position", field_name)
  into columns
  from migrator.bo_view_column(its_company, bo);
  select format('"%s" and "%s"', min(v.source collate "C"), max(v.source collate "C")) into twice
  from migrator.bo_view_column(its_company, bo) v group by v.field_name having count(*) > 1 limit 1;
  if twice is not null then
    raise duplicate_column using message = format('columns for %s of BO "%s" would have the same name', twice, bo),
      hint = 'Change the code of a field.';
  end if;
  if greatest(octet_length(in_schema), octet_length(view_name)) > 63 then
    raise name_too_long using message = format('the name of a view for BO "%s" would be longer than 63 bytes', bo),
      hint = 'Give a schema and a name.';
  end if;

  if to_regnamespace(quote_ident(in_schema)) is null then
    execute format('create schema %I', in_schema);
    execute format('grant usage on schema %I to migrator_reader', in_schema);
  end if;
  execute format('drop view if exists %I.%I', in_schema, view_name);
  execute format('create view %I.%I as select %s from migrator.instance i where i.company = %L and i.bo = %L',
                 in_schema, view_name, columns, its_company, bo);
  execute format('comment on view %I.%I is %L', in_schema, view_name,
                 format('Instances of BO %s of company %s; made by migrator.create_bo_view.', bo, its_company));
  execute format('grant select on %I.%I to migrator_reader', in_schema, view_name);
  return format('%I.%I', in_schema, view_name);
end
$$;
comment on function migrator.create_bo_view(text, text, text, text) is
  'Makes, or makes anew, a view with a typed column for each field of a BO; links are arrays of the targets'' ids. Without a schema it is the company''s code, without a name the BO''s, in lower case. Returns its name.';

create or replace function migrator.bo_view_column(company text, bo text)
  returns table (place integer, "position" integer, source text, field_name text, expression text)
  language sql stable set search_path = pg_catalog, pg_temp
as $$
  select 0, n::integer, c, c, 'i.' || c
  from unnest(array['id', 'external_id', 'state', 'created_at', 'updated_at', 'in_migrated_at']) with ordinality as s (c, n)
  union all
  select 1, f.position, f.code, lower(f.code collate "C"),
         case when f.type in ('bo', 'co') then
                format('array(select l.target_id from migrator.instance_link l where l.company = i.company and l.owner_id = i.id and l.field_code = %L order by 1)', f.code)
              else format('(i.fields ->> %L)%s', f.code,
                          case f.type when 'number' then '::numeric' when 'date' then '::timestamp with time zone' when 'flag' then '::boolean' else '' end)
         end
  from migrator.field f where f.company = bo_view_column.company and f.bo = bo_view_column.bo
$$;
comment on function migrator.bo_view_column(text, text) is 'The columns of a view that create_bo_view makes: first what every instance has, then the fields.';

-- What a change of the structure means for the store -------------------------------------------------------------

-- Whoever applies messages holds this lock shared: neither sees the structure of the other's unfinished transaction.
create or replace function migrator.structure_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- The setting goes back with a rollback, and so tells a structure that was cached before it.
  perform pg_advisory_xact_lock(hashtextextended('migrator:structure ' || coalesce(old.company, new.company), 0)),
          set_config('in_migration.structure_change', nextval('migrator.structure_version')::text, true);
  return coalesce(new, old);
end
$$;
comment on function migrator.structure_changed() is 'Trigger: structures that others have cached are out of date.';
create or replace trigger a_structure_changed before insert or update or delete on migrator.bo
  for each row execute function migrator.structure_changed();
create or replace trigger a_structure_changed before insert or update or delete on migrator.field
  for each row execute function migrator.structure_changed();
create or replace trigger a_structure_changed before insert or update or delete on migrator.co_member
  for each row execute function migrator.structure_changed();
create or replace trigger a_structure_changed before insert or update or delete on migrator.co_field_map
  for each row execute function migrator.structure_changed();

create or replace function migrator.tell_rewritten(what text, rows bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  if rows > 0 then
    raise notice '%: % rows of the store were rewritten', what, rows;
  end if;
end
$$;
comment on function migrator.tell_rewritten(text, bigint) is 'Says what a change of the structure has cost.';

create or replace function migrator.store_follows_company() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  n bigint;
  total bigint := 0;
  table_name text;
begin
  foreach table_name in array array['migrator.instance', 'migrator.instance_link', 'migrator.instance_unique', 'migrator.instance_alias',
                                    'migrator.seen_record', 'in_migration.boi_reference', 'migrator.incomplete_reference'] loop
    execute format('update %s set company = $1 where company = $2', table_name) using new.code, old.code;
    get diagnostics n = row_count;
    total := total + n;
  end loop;
  perform migrator.tell_rewritten(format('company "%s" is now "%s"', old.code, new.code), total);
  return null;
end
$$;
comment on function migrator.store_follows_company() is 'Trigger: the store follows a changed code.';
create or replace trigger store_follows after update on migrator.company
  for each row when (old.code <> new.code) execute function migrator.store_follows_company();

create or replace function migrator.store_follows_bo() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  n bigint;
  total bigint;
begin
  update migrator.instance i set bo = new.code where i.company = new.company and i.bo = old.code;
  get diagnostics total = row_count;
  update migrator.instance_unique u set bo = new.code where u.company = new.company and u.bo = old.code;
  get diagnostics n = row_count;
  total := total + n;
  update migrator.instance_alias a set bo = new.code where a.company = new.company and a.bo = old.code;
  update in_migration.boi_reference r set to_bo = new.code where r.company = new.company and r.to_bo = old.code;
  update migrator.incomplete_reference r
  set bo = case when r.bo = old.code then new.code else r.bo end,
      to_bo = case when r.to_bo = old.code then new.code else r.to_bo end
  where r.company = new.company and old.code in (r.bo, r.to_bo);
  perform migrator.tell_rewritten(format('BO "%s" is now "%s"', old.code, new.code), total);
  return null;
end
$$;
comment on function migrator.store_follows_bo() is 'Trigger: the store follows a changed code.';
create or replace trigger store_follows after update on migrator.bo
  for each row when (old.code <> new.code and old.company = new.company) execute function migrator.store_follows_bo();

create or replace function migrator.keep_instances() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from migrator.instance i where i.company = old.company and i.bo = old.code) then
    raise foreign_key_violation using message = format('BO "%s" has instances in the store', old.code),
      hint = format('If they are to go, call migrator.clear_store(%L, %L) first.', old.company, old.code);
  end if;
  return old;
end
$$;
comment on function migrator.keep_instances() is 'Trigger: a BO with instances is not deleted.';
create or replace trigger b_keep_instances before delete on migrator.bo
  for each row execute function migrator.keep_instances();

create or replace function migrator.store_follows_field() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  n bigint;
  total bigint := 0;
begin
  if old.code <> new.code then
    update migrator.instance i
    set fields = i.fields - old.code || jsonb_build_object(new.code, i.fields -> old.code)
    where i.company = new.company and i.bo = new.bo and i.fields ? old.code;
    get diagnostics total = row_count;
    update migrator.instance_unique u set field = new.code where u.company = new.company and u.bo = new.bo and u.field = old.code;
    get diagnostics n = row_count;
    total := total + n;
    update migrator.instance_link l set field_code = new.code
    from migrator.instance i
    where i.company = new.company and i.bo = new.bo and l.company = i.company and l.owner_id = i.id and l.field_code = old.code;
    get diagnostics n = row_count;
    total := total + n;
    update in_migration.boi_reference r set field_code = new.code
    from migrator.instance i
    where i.company = new.company and i.bo = new.bo and r.company = i.company and r.owner_id = i.id and r.field_code = old.code;
    update in_migration.boi_reference r set to_field = new.code
    where r.company = new.company and r.to_bo = new.bo and r.to_field = old.code;
    update migrator.incomplete_reference r set field_code = new.code
    where r.company = new.company and r.bo = new.bo and r.field_code = old.code;
    perform migrator.tell_rewritten(format('field "%s"."%s" is now "%s"', new.bo, old.code, new.code), total);
  end if;
  if old.is_unique and not new.is_unique then
    delete from migrator.instance_unique u where u.company = new.company and u.bo = new.bo and u.field = new.code;
  elsif new.is_unique and not old.is_unique and new.type not in ('bo', 'co') then
    perform migrator.fill_unique(new.company, new.bo, new.code);
  end if;
  return null;
end
$$;
comment on function migrator.store_follows_field() is 'Trigger: the store follows a changed code and the mark of uniqueness.';
create or replace trigger store_follows after update on migrator.field
  for each row when ((old.code, old.is_unique) is distinct from (new.code, new.is_unique) and old.company = new.company)
  execute function migrator.store_follows_field();

create or replace function migrator.fill_unique(company text, bo text, field text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  twice record;
begin
  select min(i.id) as one, max(i.id) as other into twice
  from migrator.instance i
  where i.company = fill_unique.company and i.bo = fill_unique.bo and i.fields ? field
  group by i.fields ->> field having count(*) > 1 limit 1;
  if found then
    raise unique_violation using message = format('field "%s"."%s" cannot be unique: instances have the same value', bo, field),
      detail = format('For example %s and %s.', twice.one, twice.other);
  end if;
  insert into migrator.instance_unique (company, bo, field, value, id)
  select i.company, i.bo, fill_unique.field, migrator.unique_key(i.fields ->> field), i.id
  from migrator.instance i
  where i.company = fill_unique.company and i.bo = fill_unique.bo and i.fields ? field;
end
$$;
comment on function migrator.fill_unique(text, text, text) is 'Takes the values of a field that was marked as unique into the index; refuses if two instances have the same.';

create or replace function migrator.field_leaves_store() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  n bigint;
  total bigint;
begin
  update migrator.instance i set fields = i.fields - old.code
  where i.company = old.company and i.bo = old.bo and i.fields ? old.code;
  get diagnostics total = row_count;
  delete from migrator.instance_unique u where u.company = old.company and u.bo = old.bo and u.field = old.code;
  if old.type in ('bo', 'co') then
    delete from migrator.instance_link l using migrator.instance i
    where i.company = old.company and i.bo = old.bo and l.company = i.company and l.owner_id = i.id and l.field_code = old.code;
    get diagnostics n = row_count;
    total := total + n;
    delete from in_migration.boi_reference r using migrator.instance i
    where i.company = old.company and i.bo = old.bo and r.company = i.company and r.owner_id = i.id and r.field_code = old.code;
  end if;
  perform migrator.tell_rewritten(format('field "%s"."%s" is gone', old.bo, old.code), total);
  return null;
end
$$;
comment on function migrator.field_leaves_store() is 'Trigger: with a field go its values and links.';
create or replace trigger field_leaves_store after delete on migrator.field
  for each row execute function migrator.field_leaves_store();

create or replace function migrator.keep_type_of_values() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from migrator.instance i where i.company = new.company and i.bo = old.bo and i.fields ? old.code)
     or old.type in ('bo', 'co') and exists (
       select from migrator.instance i join migrator.instance_link l on l.company = i.company and l.owner_id = i.id and l.field_code = old.code
       where i.company = new.company and i.bo = old.bo) then
    raise object_not_in_prerequisite_state using
      message = format('field "%s"."%s" has values in the store: its type cannot become %s', old.bo, old.code, new.type),
      hint = 'Make a new field.';
  end if;
  return new;
end
$$;
comment on function migrator.keep_type_of_values() is 'Trigger: the values of the store are of the type of their field.';
create or replace trigger keep_type_of_values before update on migrator.field
  for each row when (old.type <> new.type and new.type not in ('text', 'text_block') or old.type <> new.type and old.type in ('bo', 'co'))
  execute function migrator.keep_type_of_values();

revoke execute on all functions in schema migrator from public;
grant execute on function migrator.unique_key(text), migrator.instance_id(text, text, text), migrator.found_references(text),
  migrator.bo_view_column(text, text) to migrator_reader;
grant execute on function migrator.apply_boi_input(text, text), migrator.apply_boi_input(text, jsonb), migrator.apply_boi_inputs(text, text[]),
  migrator.retry_references(text, integer), migrator.forget_records(text, interval, integer), migrator.forget_references(text, interval, integer) to migrator_operator;
grant execute on function migrator.create_bo_view(text, text, text, text), migrator.clear_store(text, text) to migrator_admin;
