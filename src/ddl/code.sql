create or replace function migrator.in_script(structure text) returns text
language c immutable strict parallel safe
as 'MODULE_PATHNAME', 'migrator_in_script';
comment on function migrator.in_script(text) is 'The in-tables of a structure (migrator.dump_structure) as a script.';

create or replace function migrator.in_plan(structure text) returns text
language c immutable strict parallel safe
as 'MODULE_PATHNAME', 'migrator_in_plan';
comment on function migrator.in_plan(text) is
  'The in-tables of a structure (migrator.dump_structure) as JSON, with their columns and the statements that create them.';

create or replace function migrator.generate_in_ddl(company text default null) returns text
language sql stable set search_path = pg_catalog, pg_temp
as $$
  select migrator.in_script(migrator.dump_structure(generate_in_ddl.company)::text)
$$;
comment on function migrator.generate_in_ddl(text) is
  'The statements that create a company''s in-tables: one script, also for a database without the extension.';

create or replace function migrator.in_tables(company text)
returns table (nth bigint, kind text, bo text, field text, member text, target text, type text, "position" integer,
               relname text, name text, owner_attname text, attname text, "create" jsonb, needed jsonb, columns jsonb)
language sql stable set search_path = pg_catalog, pg_temp
as $$
  select t.ordinality, r.*
  from jsonb_array_elements(migrator.in_plan(migrator.dump_structure(in_tables.company)::text)::jsonb -> 'tables')
       with ordinality as t
  cross join jsonb_to_record(t.value)
       as r (kind text, bo text, field text, member text, target text, type text, "position" integer, relname text,
             name text, owner_attname text, attname text, "create" jsonb, needed jsonb, columns jsonb)
$$;
comment on function migrator.in_tables(text) is 'The in-tables of a company, one a row, in the order of their creation.';

create or replace function migrator.in_columns(company text)
returns table (nth bigint, kind text, bo text, field text, type text, is_key boolean, "position" integer, relname text,
               attname text, name text, sql_type text, table_name text)
language sql stable set search_path = pg_catalog, pg_temp
as $$
  select t.nth, t.kind, t.bo, c.field, c.type, c.is_key, c.position, t.relname, c.attname, c.name, c.sql_type, t.name
  from migrator.in_tables(in_columns.company) t
  cross join jsonb_to_recordset(t.columns)
       as c (field text, type text, is_key boolean, "position" integer, attname text, name text, sql_type text)
$$;
comment on function migrator.in_columns(text) is
  'The columns of marked simple fields, one a row; a key field has a row and no column.';

create or replace function migrator.in_layout(company text default null)
returns table (kind text, bo text, field text, member_bo text, relname text, attname text, type text, is_key boolean,
               "position" integer, owner_attname text)
language sql stable set search_path = pg_catalog, pg_temp
as $$
  select t.kind, t.bo, coalesce(c.field, t.field), t.target, t.relname, coalesce(c.attname, t.attname),
         coalesce(c.type, t.type), coalesce(c.is_key, false), coalesce(c.position, t.position), t.owner_attname
  from migrator.in_tables(in_layout.company) t
  left join migrator.in_columns(in_layout.company) c on c.nth = t.nth
  order by t.nth, c.position
$$;
comment on function migrator.in_layout(text) is
  'The in-tables that follow from the structure, by kind. fields: a row for each marked simple field of a BO (attname: its column; null for the key field, whose value is in_id), or one row with field null. links: a row for each link table (member_bo: the BO linked to; owner_attname, attname: the columns of both ids; type: bo or co). files, tracking: one row each. type: of the field; position: of the field within its BO.';

-- Whom a table may belong to that we fill, alter and read: somebody who prepared it could have put triggers on it,
-- which then run as whoever writes. That the caller is a superuser makes nobody trustworthy.
create or replace function migrator.is_trusted_owner(owner oid) returns boolean
language sql stable set search_path = pg_catalog, pg_temp
as $$
  select o.rolsuper or pg_has_role(o.oid, 'migrator_admin', 'member')
         or not me.rolsuper and pg_has_role(me.oid, o.oid, 'member')
  from pg_roles o, pg_roles me
  where me.rolname = current_user
    and o.oid = case when is_trusted_owner.owner = 'pg_database_owner'::regrole
                  then (select datdba from pg_database where datname = current_database())
                  else is_trusted_owner.owner end
$$;
comment on function migrator.is_trusted_owner(oid) is
  'Whether in-tables may belong to this role: a superuser, a member of migrator_admin, or a role of the caller''s.';

create or replace function migrator.apply_in_schema(its_schema text, statement text) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  owner constant oid := (select nspowner from pg_namespace where nspname = its_schema);
begin
  if owner is null then
    execute statement;
    return next statement;
    statement := format('alter schema %I owner to migrator_admin;', its_schema);
    execute statement;
    return next statement;
  elsif not migrator.is_trusted_owner(owner) then
    raise exception 'schema "%" belongs to "%"', its_schema, pg_get_userbyid(owner)
      using errcode = 'insufficient_privilege',
            detail = 'An in-schema belongs to a superuser or to a member of migrator_admin.',
            hint = format('Look at what is in it, then: alter schema %I owner to migrator_admin;', its_schema);
  end if;
end
$$;
comment on function migrator.apply_in_schema(text, text) is 'The part of apply_in_ddl that creates the schema.';

-- A name that the registry knows and that the structure would choose differently today. Two codes may have been
-- swapped: whoever stands in the way and is about to move steps aside first.
create or replace function migrator.in_renames(its_company text, its_schema text)
returns table (is_table boolean, bo text, field text, member text, relname text, old_name text, new_name text,
               is_taken boolean)
language sql stable set search_path = pg_catalog, pg_temp
as $$
  with name as (
    select t.bo, t.field, t.member, t.relname, t.attname, t.owner_attname
    from migrator.in_tables(its_company) t where t.bo is not null
    union all
    select c.bo, c.field, null, c.relname, c.attname, null
    from migrator.in_columns(its_company) c where c.attname is not null),
  pair as (
    select o.bo, o.field, o.member, o.relname as old_relname, n.relname, o.attname as old_attname, n.attname,
           o.owner_attname as old_owner_attname, n.owner_attname,
           o.field is null or o.owner_attname is not null as is_table
    from migrator.in_object o
    join name n on n.bo = o.bo and n.field is not distinct from o.field and n.member is not distinct from o.member
               and (n.owner_attname is null) = (o.owner_attname is null)
    where o.company = its_company and o.in_schema = its_schema)
  select true, p.bo, p.field, p.member, p.old_relname, p.old_relname, p.relname, n.oid is not null
  from pair p
  join pg_namespace s on s.nspname = its_schema
  join pg_class c on c.relnamespace = s.oid and c.relname = p.old_relname and c.relkind in ('r', 'p')
  left join pg_class n on n.relnamespace = s.oid and n.relname = p.relname
  where p.is_table and p.relname <> p.old_relname
  union all
  select false, p.bo, p.field, p.member, p.relname, k.old_name, k.new_name, n.attnum is not null
  from pair p
  cross join lateral (values (p.old_attname, p.attname), (p.old_owner_attname, p.owner_attname)) as k (old_name, new_name)
  join pg_namespace s on s.nspname = its_schema
  join pg_class c on c.relnamespace = s.oid and c.relname = p.relname and c.relkind in ('r', 'p')
  join pg_attribute a on a.attrelid = c.oid and a.attname = k.old_name and a.attnum > 0 and not a.attisdropped
  left join pg_attribute n on n.attrelid = c.oid and n.attname = k.new_name
  where k.new_name <> k.old_name
$$;
comment on function migrator.in_renames(text, text) is 'Tables and columns whose code has changed since apply_in_ddl made them.';

create or replace function migrator.apply_in_renames(its_company text, its_schema text) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  step record;
  name text;
  statement text;
begin
  loop
    -- Tables first: columns are looked for under the new name of their table.
    select r.*, exists (select from migrator.in_renames(its_company, its_schema) o
                        where o.is_table = r.is_table and (r.is_table or o.relname = r.relname)
                          and o.old_name = r.new_name) as moves_on
    into step
    from migrator.in_renames(its_company, its_schema) r
    order by r.is_table desc, r.is_taken, r.relname, r.old_name limit 1;
    exit when not found;

    -- A chunk on its way knows its table by name.
    if exists (select from migrator.migration m where m.company = its_company
               and (m.state = 'RUNNING' or exists (select from migrator.chunk c where c.migration_id = m.id and c.state = 'CLAIMED'))) then
      raise object_not_in_prerequisite_state using
        message = format('cannot rename "%s" to "%s" while rows of company "%s" are on their way to Kafka', step.old_name, step.new_name, its_company),
        hint = 'Wait for the end of the migration; what a cancelled one left behind is settled by the next.';
    end if;
    if step.is_taken and not step.moves_on then
      raise exception 'cannot rename "%" to "%": that name is taken in %', step.old_name, step.new_name,
          case when step.is_table then format('schema "%s"', its_schema) else format('table "%s"', step.relname) end
        using errcode = case when step.is_table then 'duplicate_table' else 'duplicate_column' end,
              hint = 'A code was changed. Move what is worth keeping into one of the two, then drop or rename the other.';
    end if;
    name := case when step.is_taken then left('in_moving_' || md5(step.old_name), 63) else step.new_name end;
    if step.is_table then
      statement := format('alter table %I.%I rename to %I;', its_schema, step.old_name, name);
      update migrator.in_object o set relname = name
      where o.company = its_company and o.in_schema = its_schema and o.relname = step.old_name;
    else
      statement := format('alter table %I.%I rename column %I to %I;', its_schema, step.relname, step.old_name, name);
      update migrator.in_object o
      set attname = case o.attname when step.old_name then name else o.attname end,
          owner_attname = case o.owner_attname when step.old_name then name else o.owner_attname end
      where o.company = its_company and o.bo = step.bo and o.field is not distinct from step.field
        and o.member is not distinct from step.member;
    end if;
    execute statement;
    return next statement;
  end loop;
end
$$;
comment on function migrator.apply_in_renames(text, text) is 'The part of apply_in_ddl that follows changed codes.';

create or replace function migrator.check_in_table(its_schema text, its_name text, needed jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  found_table record;
  missing text;
begin
  select c.oid, c.relkind, c.relowner into found_table
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = its_schema and c.relname = its_name;
  if found_table.relkind not in ('r', 'p') then
    raise exception '"%"."%" exists and is not a table', its_schema, its_name
      using errcode = 'wrong_object_type', hint = 'Rename or drop it; apply_in_ddl needs the name.';
  elsif not migrator.is_trusted_owner(found_table.relowner) then
    raise exception 'table "%"."%" belongs to "%"', its_schema, its_name, pg_get_userbyid(found_table.relowner)
      using errcode = 'insufficient_privilege',
            detail = 'An in-table belongs to a superuser or to a member of migrator_admin.',
            hint = format('Look for triggers, rules and defaults on it, then: alter table %I.%I owner to migrator_admin;',
                          its_schema, its_name);
  end if;
  select string_agg(n, ', ') into missing
  from jsonb_array_elements_text(needed) as n
  where not exists (select from pg_attribute a
                    where a.attrelid = found_table.oid and a.attname = n and a.attnum > 0 and not a.attisdropped);
  if missing is not null then
    raise exception 'table "%"."%" exists and is not an in-table', its_schema, its_name
      using errcode = 'object_not_in_prerequisite_state', detail = 'It lacks: ' || missing || '.',
            hint = 'Rename or drop it; apply_in_ddl needs the name.';
  end if;
end
$$;
comment on function migrator.check_in_table(text, text, jsonb) is
  'Raises an error if the relation of that name is none that apply_in_ddl may take for an in-table.';

create or replace function migrator.has_unique_in_id(of_table regclass) returns boolean
language sql stable set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'in_id' and i.indkey[0] = a.attnum
    where i.indrelid = of_table and i.indisunique and i.indisvalid and i.indnkeyatts = 1 and i.indpred is null)
$$;
comment on function migrator.has_unique_in_id(regclass) is 'Whether no two rows can have the same in_id.';

create or replace function migrator.apply_in_tables(its_company text, its_schema text) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  needed record;
  statement text;
begin
  for needed in select * from migrator.in_tables(its_company) t order by t.nth loop
    if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = its_schema and c.relname = needed.relname) then
      perform migrator.check_in_table(its_schema, needed.relname, needed.needed);
      continue when needed.kind <> 'fields'
        or migrator.has_unique_in_id(format('%I.%I', its_schema, needed.relname)::regclass);
      statement := needed."create" ->> 1;
      execute statement;
      return next statement;
      continue;
    end if;
    for statement in select s from jsonb_array_elements_text(needed."create") as s
                     union all select format('alter table %s owner to migrator_admin;', needed.name) loop
      execute statement;
      return next statement;
    end loop;
  end loop;
end
$$;
comment on function migrator.apply_in_tables(text, text) is 'The part of apply_in_ddl that creates tables and their unique indexes.';

create or replace function migrator.apply_in_columns(its_company text, its_schema text) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  needed record;
  is_used boolean;
  statement text;
begin
  for needed in
    select c.*, a.attname is not null as exists, format_type(a.atttypid, a.atttypmod) as actual_type,
           replace(regexp_replace(c.sql_type, '^bool$', 'boolean'), 'varchar', 'character varying') as wanted_type
    from migrator.in_columns(its_company) c
    join pg_namespace n on n.nspname = its_schema
    join pg_class r on r.relnamespace = n.oid and r.relname = c.relname
    left join pg_attribute a on a.attrelid = r.oid and a.attname = c.attname and a.attnum > 0 and not a.attisdropped
    where c.attname is not null
    order by c.nth, c.position
  loop
    if not needed.exists then
      statement := format('alter table %s add column %s %s;', needed.table_name, needed.name, needed.sql_type);
    elsif needed.actual_type = needed.wanted_type then
      continue;
    else
      -- The field's type has changed. Without values nothing can get lost.
      execute format('select exists (select from %s where %s is not null)', needed.table_name, needed.name) into is_used;
      if is_used then
        raise exception 'column "%" of table "%"."%" is of type %, field "%"."%" needs %',
            needed.attname, its_schema, needed.relname, needed.actual_type, needed.bo, needed.field, needed.sql_type
          using errcode = 'datatype_mismatch',
                hint = format('It has values. Clear them, or convert them: alter table %s alter column %s type %s using (...);',
                              needed.table_name, needed.name, needed.sql_type);
      end if;
      statement := format('alter table %s alter column %s type %s using null;', needed.table_name, needed.name,
                          needed.sql_type);
    end if;
    execute statement;
    return next statement;
  end loop;
end
$$;
comment on function migrator.apply_in_columns(text, text) is 'The part of apply_in_ddl that adds columns and follows changed types.';

create or replace function migrator.apply_in_grants(its_company text, its_schema text) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  statement text;
begin
  for statement in
    with own as (
      select t.nth, t.kind, t.name, c.oid,
             case when t.kind in ('fields', 'tracking') then pg_get_serial_sequence(t.name, 'id') end as sequence
      from migrator.in_tables(its_company) t
      join pg_namespace n on n.nspname = its_schema
      join pg_class c on c.relnamespace = n.oid and c.relname = t.relname),
    wanted (nth, kind, object, oid, privileges, columns, grantee) as (
      select 0, 'schema', quote_ident(its_schema), n.oid, array['usage'], null::text[], r
      from pg_namespace n, unnest(array['migrator_reader', 'migrator_supplier']) as r
      where n.nspname = its_schema
      union all
      select 0, 'schema', quote_ident(its_schema), n.oid, array['usage', 'create'], null, 'migrator_admin'
      from pg_namespace n where n.nspname = its_schema
      union all
      select nth, 'table', name, oid, array['select', 'insert', 'update', 'delete', 'truncate'], null, 'migrator_supplier'
      from own where kind <> 'tracking'
      union all
      select nth, 'table', name, oid, array['select', 'insert', 'update', 'delete', 'truncate'],
             null, 'migrator_admin' from own
      union all
      select nth, 'table', name, oid, array['select'], null, r
      from own, unnest(array['migrator_reader', 'migrator_supplier']) as r where kind = 'tracking'
      union all
      select nth, 'columns', name, oid, array['insert', 'update'],
             array['oper_date', 'start_load_time', 'end_load_time', 'load_status'], 'migrator_supplier'
      from own where kind = 'tracking'
      union all
      select nth, 'sequence', sequence, sequence::regclass, array['usage'], null, r
      from own, unnest(array['migrator_supplier', 'migrator_admin']) as r where sequence is not null)
    select case kind
             when 'columns' then format('grant %s on table %s to %s;',
               (select string_agg(format('%s (%s)', p, array_to_string(columns, ', ')), ', ' order by p)
                from unnest(privileges) as p), object, grantee)
             else format('grant %s on %s %s to %s;', array_to_string(privileges, ', '), kind, object, grantee) end
    from wanted
    where not (select bool_and(case kind when 'schema' then has_schema_privilege(grantee, oid, p)
                                         when 'table' then has_table_privilege(grantee, oid, p)
                                         when 'sequence' then has_sequence_privilege(grantee, oid, p)
                                         else (select bool_and(has_column_privilege(grantee, oid, c, p))
                                               from unnest(columns) as c) end)
               from unnest(privileges) as p)
    order by nth, kind, grantee
  loop
    execute statement;
    return next statement;
  end loop;
end
$$;
comment on function migrator.apply_in_grants(text, text) is 'The part of apply_in_ddl that gives the roles their rights.';

create or replace function migrator.register_in_objects(its_company text, its_schema text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  made migrator.in_object;
begin
  for made in
    select its_company, t.bo, t.field, t.member, its_schema, t.relname, t.attname, t.owner_attname
    from migrator.in_tables(its_company) t where t.bo is not null
    union all
    select its_company, c.bo, c.field, null, its_schema, c.relname, c.attname, null
    from migrator.in_columns(its_company) c where c.attname is not null
    except
    select * from migrator.in_object
  loop
    delete from migrator.in_object o
    where o.company = its_company and o.bo = made.bo and o.field is not distinct from made.field
      and o.member is not distinct from made.member;
    insert into migrator.in_object select made.*;
  end loop;
end
$$;
comment on function migrator.register_in_objects(text, text) is 'The part of apply_in_ddl that remembers names for later changes of codes.';

create or replace function migrator.in_leftovers(its_company text, its_schema text) returns setof text
language sql stable set search_path = pg_catalog, pg_temp
as $$
  with in_table as materialized (
    select c.oid, c.relname, t.kind, t.needed, t.nth
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join migrator.in_tables(its_company) t on t.relname = c.relname
    where n.nspname = its_schema and c.relkind in ('r', 'p') and not c.relispartition
      and starts_with(c.relname, 'in_')),
  lost_table as materialized (
    select i.relname from in_table i
    where i.kind is null
      and 2 = (select count(*) from pg_attribute a
               where a.attrelid = i.oid and a.attname in ('in_status', 'inserted_date') and not a.attisdropped)),
  lost_column as materialized (
    select i.relname, a.attname
    from in_table i
    join pg_attribute a on a.attrelid = i.oid and a.attnum > 0 and not a.attisdropped
    left join migrator.in_columns(its_company) c on c.nth = i.nth and c.attname = a.attname
    where i.kind = 'fields' and c.nth is null and not i.needed ? a.attname)
  select format('table %I.%I stays: %s', its_schema, l.relname, case
           when o.relname is null then 'nothing in the structure stands for it'
           when o.field is null then format('no field of BO "%s" is marked any more%s', o.bo, (
             select format(' (%s)', string_agg(format('"%s"', f.field), ', ' order by f.field))
             from migrator.in_object f
             where f.company = its_company and f.bo = o.bo and f.field is not null and f.owner_attname is null))
           else format('field "%s"."%s" is no longer marked', o.bo, o.field) end)
  from lost_table l
  left join migrator.in_object o on o.company = its_company and o.in_schema = its_schema and o.relname = l.relname
                                and (o.field is null or o.owner_attname is not null)
  union all
  select format('column %I of table %I.%I stays: %s', l.attname, its_schema, l.relname, case
           when o.field is null then 'nothing in the structure stands for it'
           else format('field "%s"."%s" is no longer marked', o.bo, o.field) end)
  from lost_column l
  left join migrator.in_object o on o.company = its_company and o.in_schema = its_schema and o.relname = l.relname
                                and o.attname = l.attname and o.owner_attname is null
$$;
comment on function migrator.in_leftovers(text, text) is
  'Tables and columns in the in-schema for which nothing is marked: one sentence each.';

create or replace function migrator.apply_in_ddl(company text default null) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  its_company constant text := migrator.resolve_company(company);
  its_schema constant text := (select c.in_schema from migrator.company c where c.code = its_company);
  leftover text;
begin
  -- One at a time in a database.
  perform pg_advisory_xact_lock('migrator.in_object'::regclass::oid::bigint);
  return query select migrator.apply_in_schema(its_schema,
    migrator.in_plan(migrator.dump_structure(its_company)::text)::jsonb ->> 'create_schema');
  return query select migrator.apply_in_renames(its_company, its_schema);
  return query select migrator.apply_in_tables(its_company, its_schema);
  return query select migrator.apply_in_columns(its_company, its_schema);
  return query select migrator.apply_in_grants(its_company, its_schema);
  perform migrator.register_in_objects(its_company, its_schema);
  for leftover in select l from migrator.in_leftovers(its_company, its_schema) as l order by 1 loop
    raise notice '%', leftover;
  end loop;
end
$$;
comment on function migrator.apply_in_ddl(text) is
  'Executes what is missing for the structure''s in-tables and returns each statement: schema, tables, columns, renames after changed codes, grants. Drops nothing; a notice names what is no longer marked.';

revoke execute on all functions in schema migrator from public;
grant execute on function migrator.generate_in_ddl(text), migrator.in_layout(text), migrator.in_script(text),
  migrator.in_plan(text), migrator.in_tables(text), migrator.in_columns(text) to migrator_reader;
grant execute on function migrator.apply_in_ddl(text), migrator.is_trusted_owner(oid),
  migrator.apply_in_schema(text, text), migrator.apply_in_renames(text, text), migrator.in_renames(text, text),
  migrator.apply_in_tables(text, text), migrator.check_in_table(text, text, jsonb), migrator.has_unique_in_id(regclass),
  migrator.apply_in_columns(text, text), migrator.apply_in_grants(text, text),
  migrator.register_in_objects(text, text), migrator.in_leftovers(text, text) to migrator_admin;
