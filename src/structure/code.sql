-- System BOs and their fields ----------------------------------------------------------------------------------

create or replace function migrator.system_field()
returns table (bo text, code text, type text, target_bo text, is_unique boolean, "position" integer)
language sql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
  values ('Person', 'name', 'text', null, false, 1),
         ('Person', 'surname', 'text', null, false, 2),
         ('Person', 'email', 'text', null, true, 3),
         ('Person', 'status', 'choice', null, false, 4),
         ('Person', 'accessLevel', 'choice', null, false, 5),
         ('PersonGroup', 'name', 'text', null, false, 1),
         ('PersonGroup', 'header', 'bo', 'Person', false, 2),
         ('PersonGroup', 'users', 'bo', 'Person', false, 3),
         ('Department', 'name', 'text', null, false, 1),
         ('Department', 'header', 'bo', 'Person', false, 2),
         ('Department', 'person', 'bo', 'Person', false, 3),
         ('Department', 'parent', 'bo', 'Department', false, 4),
         ('Company', 'name', 'text', null, false, 1)
$$;
comment on function migrator.system_field() is 'The fields with which the system BOs of a new company come.';

create or replace function migrator.company_added() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  insert into migrator.bo (company, code, name, is_system)
    select distinct new.code, s.bo, s.bo, true from migrator.system_field() s;
  insert into migrator.field (company, bo, code, name, type, target_bo, is_unique, position, is_system)
    select new.code, s.bo, s.code, s.code, s.type, s.target_bo, s.is_unique, s.position, true
    from migrator.system_field() s;
  return null;
end
$$;
comment on function migrator.company_added() is 'Trigger: a new company gets its system BOs.';
create or replace trigger add_system_bos after insert on migrator.company
  for each row execute function migrator.company_added();

-- What a row needs before it is written ------------------------------------------------------------------------

create or replace function migrator.name_from_code() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  new.name := coalesce(new.name, new.code);
  return new;
end
$$;
comment on function migrator.name_from_code() is 'Trigger: what has no name is called by its code.';
create or replace trigger name_from_code before insert on migrator.company
  for each row execute function migrator.name_from_code();
create or replace trigger name_from_code before insert on migrator.co
  for each row execute function migrator.name_from_code();

-- A restored dump inserts system BOs and fields that the row of the company has brought already: an inserted
-- system row therefore takes the place of the one that is there.
create or replace function migrator.bo_written() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    new.name := coalesce(new.name, new.code);
    if new.is_system then
      update migrator.bo b set name = new.name, in_topic = new.in_topic
      where b.company = new.company and b.code = new.code and b.is_system;
      if found then
        return null;
      end if;
    end if;
  elsif old.is_system and (new.code, new.is_system) is distinct from (old.code, old.is_system) then
    raise exception 'system BO "%" keeps its code', old.code
      using errcode = 'object_not_in_prerequisite_state', hint = 'Its name may be changed.';
  end if;
  return new;
end
$$;
comment on function migrator.bo_written() is 'Trigger: fills in the name and protects system BOs.';
create or replace trigger bo_written before insert or update on migrator.bo
  for each row execute function migrator.bo_written();

create or replace function migrator.field_written() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    new.name := coalesce(new.name, new.code);
    new.position := coalesce(new.position, 1 + (
      select max(f.position) from migrator.field f where f.company = new.company and f.bo = new.bo), 1);
    if new.is_system then
      update migrator.field f
      set name = new.name, need_load_from_in_tables = new.need_load_from_in_tables,
          need_upload_to_out_table = new.need_upload_to_out_table, is_unique = new.is_unique,
          is_in_key = new.is_in_key, position = new.position
      where f.company = new.company and f.bo = new.bo and f.code = new.code and f.is_system;
      if found then
        return null;
      end if;
    end if;
  elsif old.is_system and (new.bo, new.code, new.type, new.target_bo, new.is_system)
      is distinct from (old.bo, old.code, old.type, old.target_bo, old.is_system) then
    raise exception 'system field "%"."%" keeps its code, type and target', old.bo, old.code
      using errcode = 'object_not_in_prerequisite_state', hint = 'Its name and its marks may be changed.';
  end if;
  if new.is_system and not exists (select from migrator.system_field() s where s.bo = new.bo and s.code = new.code) then
    raise exception '"%"."%" is not a system field', new.bo, new.code
      using errcode = 'check_violation', hint = 'Leave is_system out for fields of your own.';
  end if;
  return new;
end
$$;
comment on function migrator.field_written() is 'Trigger: fills in name and position and protects system fields.';
create or replace trigger field_written before insert or update on migrator.field
  for each row execute function migrator.field_written();

create or replace function migrator.co_field_added() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  new.name := coalesce(new.name, new.code);
  new.position := coalesce(new.position, 1 + (
    select max(f.position) from migrator.co_field f where f.company = new.company and f.co = new.co), 1);
  return new;
end
$$;
comment on function migrator.co_field_added() is 'Trigger: fills in name and position.';
create or replace trigger co_field_added before insert on migrator.co_field
  for each row execute function migrator.co_field_added();

-- System rows go only with what they belong to: by a cascade, never by a statement of their own.
create or replace function migrator.keep_system_row() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'system % "%" cannot be deleted', case tg_table_name when 'bo' then 'BO' else 'field' end, old.code
    using errcode = 'object_not_in_prerequisite_state',
          hint = 'It takes no part in migration as long as it is not marked.';
end
$$;
comment on function migrator.keep_system_row() is 'Trigger: system BOs and fields stay as long as their company.';
create or replace trigger keep_system_row before delete on migrator.bo
  for each row when (old.is_system and pg_trigger_depth() = 0) execute function migrator.keep_system_row();
create or replace trigger keep_system_row before delete on migrator.field
  for each row when (old.is_system and pg_trigger_depth() = 0) execute function migrator.keep_system_row();

-- BOs that refer to each other, or to themselves, can be deleted together.
create or replace function migrator.bo_deleted() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  delete from migrator.field f where f.company = old.company and f.bo = old.code;
  return old;
end
$$;
comment on function migrator.bo_deleted() is 'Trigger: the fields of a BO go before it is asked who refers to it.';
create or replace trigger fields_go_first before delete on migrator.bo
  for each row execute function migrator.bo_deleted();

create or replace function migrator.resolve_company(company text default null) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  codes constant text[] := (select array_agg(c.code order by c.code) from migrator.company c
                            where c.code = coalesce(resolve_company.company, c.code));
begin
  if cardinality(codes) = 1 then
    return codes[1];
  elsif company is not null then
    raise exception 'company "%" does not exist', company using errcode = 'undefined_object',
      hint = 'See migrator.company.';
  elsif codes is null then
    raise exception 'there is no company' using errcode = 'undefined_object',
      hint = 'Insert one into migrator.company, or call migrator.load_structure.';
  end if;
  raise exception 'there are several companies' using errcode = 'invalid_parameter_value',
    detail = 'Companies: ' || array_to_string(codes, ', ') || '.', hint = 'Name one of them.';
end
$$;
comment on function migrator.resolve_company(text) is 'The given company if it exists; without one, the only company there is.';

-- The structure as a document ----------------------------------------------------------------------------------

create or replace function migrator.check_object(value jsonb, path text, members jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
  known constant text := (select string_agg(k, ', ' order by k) from jsonb_object_keys(members) as k);
  key text;
  type text;
begin
  if jsonb_typeof(value) is distinct from 'object' then
    raise exception '% must be an object, not %', path, coalesce(jsonb_typeof(value), 'null')
      using errcode = 'invalid_parameter_value', hint = 'Its keys are: ' || known || '.';
  end if;
  for key in select jsonb_object_keys(value) loop
    if not members ? key then
      raise exception 'unknown key "%" in %', key, path
        using errcode = 'invalid_parameter_value', hint = 'Known keys are: ' || known || '.';
    end if;
  end loop;
  for key, type in select e.key, e.value from jsonb_each_text(members) e loop
    if not value ? key then
      continue when type not like '%!';
      raise exception '% lacks the key "%"', path, key using errcode = 'invalid_parameter_value';
    elsif jsonb_typeof(value -> key) <> rtrim(type, '!') then
      raise exception '%.% must be %, not %', path, key,
        case rtrim(type, '!') when 'string' then 'a string' when 'boolean' then 'true or false'
          when 'array' then 'an array' else 'an object' end, jsonb_typeof(value -> key)
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
end
$$;
comment on function migrator.check_object(jsonb, text, jsonb) is
  'Raises an error unless value is an object of the given members; members: key -> JSON type, "!" for those it must have.';

create or replace function migrator.structure_bos(structure jsonb)
returns table (code text, name text, topic text, path text, fields jsonb)
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select b ->> 'code', coalesce(b ->> 'name', b ->> 'code'), b ->> 'topic', format('$.bos[%s]', n - 1),
         coalesce(b -> 'fields', '[]')
  from jsonb_array_elements(structure -> 'bos') with ordinality as e (b, n)
$$;
comment on function migrator.structure_bos(jsonb) is 'The BOs of a document.';

create or replace function migrator.structure_fields(structure jsonb)
returns table (bo text, code text, name text, type text, target text, is_loaded boolean, is_uploaded boolean,
               is_unique boolean, is_in_key boolean, "position" bigint, path text)
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select b.code, f ->> 'code', coalesce(f ->> 'name', f ->> 'code'), f ->> 'type',
         f ->> 'target', coalesce((f ->> 'in')::boolean, false), coalesce((f ->> 'out')::boolean, false),
         coalesce((f ->> 'unique')::boolean, s.is_unique, false), coalesce((f ->> 'key')::boolean, false),
         n, format('%s.fields[%s]', b.path, n - 1)
  from migrator.structure_bos(structure) b
  cross join jsonb_array_elements(b.fields) with ordinality as e (f, n)
  left join migrator.system_field() s on s.bo = b.code and s.code = f ->> 'code'
$$;
comment on function migrator.structure_fields(jsonb) is 'The fields of the BOs of a document, with defaults filled in.';

create or replace function migrator.structure_cos(structure jsonb)
returns table (code text, name text, path text, members jsonb, fields jsonb)
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select c ->> 'code', coalesce(c ->> 'name', c ->> 'code'), format('$.cos[%s]', n - 1),
         coalesce(c -> 'members', '[]'), coalesce(c -> 'fields', '[]')
  from jsonb_array_elements(coalesce(structure -> 'cos', '[]')) with ordinality as e (c, n)
$$;
comment on function migrator.structure_cos(jsonb) is 'The COs of a document.';

create or replace function migrator.structure_co_fields(structure jsonb)
returns table (co text, code text, name text, map jsonb, "position" bigint, path text)
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select c.code, f ->> 'code', coalesce(f ->> 'name', f ->> 'code'), coalesce(f -> 'map', '{}'), n,
         format('%s.fields[%s]', c.path, n - 1)
  from migrator.structure_cos(structure) c
  cross join jsonb_array_elements(c.fields) with ordinality as e (f, n)
$$;
comment on function migrator.structure_co_fields(jsonb) is 'The fields of the COs of a document.';

create or replace function migrator.structure_shape(structure jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
  wrong record;
begin
  perform migrator.check_object(structure, '$', '{"company": "object!", "bos": "array!", "cos": "array"}');
  perform migrator.check_object(structure -> 'company', '$.company',
    '{"code": "string!", "name": "string", "in_schema": "string"}');
  perform migrator.check_object(b, format('$.bos[%s]', n - 1),
    '{"code": "string!", "name": "string", "topic": "string", "fields": "array"}')
  from jsonb_array_elements(structure -> 'bos') with ordinality as e (b, n);
  perform migrator.check_object(f, format('%s.fields[%s]', b.path, n - 1),
    '{"code": "string!", "name": "string", "type": "string!", "target": "string", "in": "boolean", "out": "boolean",
      "unique": "boolean", "key": "boolean"}')
  from migrator.structure_bos(structure) b, jsonb_array_elements(b.fields) with ordinality as e (f, n);
  perform migrator.check_object(c, format('$.cos[%s]', n - 1),
    '{"code": "string!", "name": "string", "members": "array", "fields": "array"}')
  from jsonb_array_elements(coalesce(structure -> 'cos', '[]')) with ordinality as e (c, n);
  perform migrator.check_object(f, format('%s.fields[%s]', c.path, n - 1),
    '{"code": "string!", "name": "string", "map": "object"}')
  from migrator.structure_cos(structure) c, jsonb_array_elements(c.fields) with ordinality as e (f, n);

  for wrong in
    select format('%s.members[%s]', c.path, n - 1) as path, m as value
    from migrator.structure_cos(structure) c, jsonb_array_elements(c.members) with ordinality as e (m, n)
    union all
    select format('%s.map.%s', f.path, m.key), m.value
    from migrator.structure_co_fields(structure) f, jsonb_each(f.map) as m
  loop
    if jsonb_typeof(wrong.value) <> 'string' then
      raise exception '% must be a code, not %', wrong.path, jsonb_typeof(wrong.value)
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
end
$$;
comment on function migrator.structure_shape(jsonb) is 'Raises an error unless the document has the right keys and types.';

create or replace function migrator.structure_faults(structure jsonb)
returns table (path text, sqlstate text, message text, hint text)
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  with bo as (select b.code from migrator.structure_bos(structure) b
              union select s.bo from migrator.system_field() s),
  co as (select c.code, c.path, c.members from migrator.structure_cos(structure) c),
  field as (select f.* from migrator.structure_fields(structure) f),
  map as (select f.co, f.path, m.key as bo, m.value as field
          from migrator.structure_co_fields(structure) f, jsonb_each_text(f.map) as m),
  code (path, code, nth) as (
    select b.path, b.code, row_number() over (partition by b.code order by length(b.path), b.path)
    from migrator.structure_bos(structure) b
    union all
    select c.path, c.code, row_number() over (partition by c.code order by length(c.path), c.path) from co c
    union all
    select f.path, f.code, row_number() over (partition by f.bo, f.code order by f.position) from field f
    union all
    select f.path, f.code, row_number() over (partition by f.co, f.code order by f.position)
    from migrator.structure_co_fields(structure) f
    union all
    select c.path || '.members', m, row_number() over (partition by c.code, m)
    from co c, jsonb_array_elements_text(c.members) as m)
  select c.path, '42710', format('the code "%s" is there twice', c.code),
         'Codes are unique among BOs, among COs, and within one BO or CO.'
  from code c where c.nth = 2
  union all
  select f.path, '22023', format('"%s" is not a type of field', f.type),
         'Types are text, text_block, choice, date, flag, number, file, bo, co.'
  from field f
  where f.type not in ('text', 'text_block', 'choice', 'date', 'flag', 'number', 'file', 'bo', 'co')
  union all
  select f.path, '22023', format('field "%s"."%s" has no target', f.bo, f.code),
         'A field of type bo or co names the code of a BO or CO as "target".'
  from field f where f.type in ('bo', 'co') and f.target is null
  union all
  select f.path, '22023', format('field "%s"."%s" has a target', f.bo, f.code),
         'Only fields of type bo and co have a "target".'
  from field f where f.type not in ('bo', 'co') and f.target is not null
  union all
  select f.path, '42704', format('the target of field "%s"."%s", %s "%s", does not exist',
                                 f.bo, f.code, upper(f.type), f.target),
         'A target is one of the document''s own, or a system BO.'
  from field f
  where f.type = 'bo' and f.target not in (select bo.code from bo)
     or f.type = 'co' and f.target not in (select co.code from co)
  union all
  select f.path, '22023', format('field "%s"."%s" of type %s cannot be the key', f.bo, f.code, f.type),
         'The key field of IN migration is a simple field.'
  from field f where f.is_in_key and f.type in ('bo', 'co', 'file')
  union all
  select min(f.path), '22023', format('BO "%s" has several key fields', f.bo), 'Mark one field as "key".'
  from field f where f.is_in_key group by f.bo having count(*) > 1
  union all
  select c.path || '.members', '42704', format('member "%s" of CO "%s" does not exist', m, c.code),
         'A member is one of the document''s own BOs, or a system BO.'
  from co c, jsonb_array_elements_text(c.members) as m
  where m not in (select bo.code from bo)
  union all
  select m.path, '42704', format('"%s" is not a member of CO "%s"', m.bo, m.co),
         'A "map" leads from members of the CO to their fields.'
  from map m
  where not exists (select from co c where c.code = m.co and c.members ? m.bo)
  union all
  select m.path, '42704', format('field "%s"."%s" does not exist', m.bo, m.field),
         'A "map" leads from members of the CO to their fields.'
  from map m
  where not exists (select from field f where f.bo = m.bo and f.code = m.field)
    and not exists (select from migrator.system_field() s where s.bo = m.bo and s.code = m.field)
$$;
comment on function migrator.structure_faults(jsonb) is 'What contradicts itself in a document of the right shape.';

create or replace function migrator.check_structure(structure jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
  fault record;
begin
  perform migrator.structure_shape(structure);
  select * into fault from migrator.structure_faults(structure) limit 1;
  if found then
    raise exception '%', fault.message
      using errcode = fault.sqlstate, detail = 'Place: ' || fault.path || '.', hint = fault.hint;
  end if;
end
$$;
comment on function migrator.check_structure(jsonb) is 'Raises the first error of a document.';

create or replace function migrator.load_structure(structure jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  its_company constant text := structure #>> '{company,code}';
  schema constant text := coalesce(structure #>> '{company,in_schema}',
    (select c.in_schema from migrator.company c where c.code = its_company), 'in_tables');
  owner constant text := (select c.code from migrator.company c where c.in_schema = schema and c.code <> its_company);
begin
  perform migrator.check_structure(structure);
  if owner is not null then
    raise exception 'in_schema "%" belongs to company "%"', schema, owner
      using errcode = 'unique_violation', hint = 'Each company has a schema of its own: give another one as company.in_schema.';
  end if;

  -- The update also makes a second load of the same company wait.
  insert into migrator.company as c (code, name, in_schema)
  values (its_company, structure #>> '{company,name}', coalesce(structure #>> '{company,in_schema}', 'in_tables'))
  on conflict (code) do update
    set name = coalesce(structure #>> '{company,name}', c.name),
        in_schema = coalesce(structure #>> '{company,in_schema}', c.in_schema);

  delete from migrator.co_field_map m
  where m.company = its_company
    and not exists (select from migrator.structure_co_fields(structure) f
                    where f.co = m.co and f.code = m.co_field and f.map ->> m.bo = m.field);

  -- What is referred to, before what refers. System BOs that are not named are as they came.
  update migrator.bo b
  set name = coalesce(d.name, b.code), in_topic = d.topic
  from migrator.bo o left join migrator.structure_bos(structure) d on d.code = o.code
  where o.company = its_company and (d.code is not null or o.is_system)
    and b.company = o.company and b.code = o.code
    and (b.name, b.in_topic) is distinct from (coalesce(d.name, b.code), d.topic);
  insert into migrator.bo (company, code, name, in_topic)
  select its_company, d.code, d.name, d.topic
  from migrator.structure_bos(structure) d
  where not exists (select from migrator.bo b where b.company = its_company and b.code = d.code);

  update migrator.co c set name = d.name
  from migrator.structure_cos(structure) d
  where c.company = its_company and c.code = d.code and c.name <> d.name;
  insert into migrator.co (company, code, name)
  select its_company, d.code, d.name
  from migrator.structure_cos(structure) d
  where not exists (select from migrator.co c where c.company = its_company and c.code = d.code);

  perform migrator.load_fields(its_company, structure);

  -- What is not named. Members and their maps go with their CO or BO.
  delete from migrator.co_member m
  where m.company = its_company
    and not exists (select from migrator.structure_cos(structure) d where d.code = m.co and d.members ? m.bo);
  delete from migrator.co c
  where c.company = its_company
    and not exists (select from migrator.structure_cos(structure) d where d.code = c.code);
  delete from migrator.bo b
  where b.company = its_company and not b.is_system
    and not exists (select from migrator.structure_bos(structure) d where d.code = b.code);

  insert into migrator.co_member (company, co, bo)
  select its_company, d.code, m
  from migrator.structure_cos(structure) d, jsonb_array_elements_text(d.members) as m
  on conflict do nothing;

  delete from migrator.co_field f
  where f.company = its_company
    and not exists (select from migrator.structure_co_fields(structure) d where d.co = f.co and d.code = f.code);
  insert into migrator.co_field as f (company, co, code, name, position)
  select its_company, d.co, d.code, d.name, d.position
  from migrator.structure_co_fields(structure) d
  on conflict (company, co, code) do update set name = excluded.name, position = excluded.position
    where (f.name, f.position) is distinct from (excluded.name, excluded.position);
  insert into migrator.co_field_map (company, co, co_field, bo, field)
  select its_company, d.co, d.code, m.key, m.value
  from migrator.structure_co_fields(structure) d, jsonb_each_text(d.map) as m
  on conflict do nothing;
end
$$;
comment on function migrator.load_structure(jsonb) is
  'Brings a company to exactly the state of the document: creates, updates, and deletes what is not named. System BOs stay, and so do settings of the company. May be repeated.';

create or replace function migrator.load_fields(its_company text, structure jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  delete from migrator.field f
  where f.company = its_company and not f.is_system
    and not exists (select from migrator.structure_fields(structure) d where d.bo = f.bo and d.code = f.code);
  -- A BO never has two keys, not even on the way.
  update migrator.field f set is_in_key = false
  where f.company = its_company and f.is_in_key
    and not exists (select from migrator.structure_fields(structure) d
                    where d.bo = f.bo and d.code = f.code and d.is_in_key);
  update migrator.field f
  set name = d.name, type = d.type, target_bo = d.target_bo, target_co = d.target_co,
      need_load_from_in_tables = d.is_loaded, need_upload_to_out_table = d.is_uploaded, is_unique = d.is_unique,
      is_in_key = d.is_in_key
  from (select d.bo, d.code, d.name, d.type, case d.type when 'bo' then d.target end as target_bo,
               case d.type when 'co' then d.target end as target_co, d.is_loaded, d.is_uploaded, d.is_unique, d.is_in_key
        from migrator.structure_fields(structure) d
        union all
        select s.bo, s.code, s.code, s.type, s.target_bo, null, false, false, s.is_unique, false
        from migrator.system_field() s
        where not exists (select from migrator.structure_fields(structure) d where d.bo = s.bo and d.code = s.code)
       ) d
  where f.company = its_company and f.bo = d.bo and f.code = d.code
    and (f.name, f.type, f.target_bo, f.target_co, f.need_load_from_in_tables, f.need_upload_to_out_table, f.is_unique,
         f.is_in_key)
      is distinct from (d.name, d.type, d.target_bo, d.target_co, d.is_loaded, d.is_uploaded, d.is_unique, d.is_in_key);
  insert into migrator.field (company, bo, code, name, type, target_bo, target_co, need_load_from_in_tables,
                              need_upload_to_out_table, is_unique, is_in_key)
  select its_company, d.bo, d.code, d.name, d.type, case d.type when 'bo' then d.target end,
         case d.type when 'co' then d.target end, d.is_loaded, d.is_uploaded, d.is_unique, d.is_in_key
  from migrator.structure_fields(structure) d
  where not exists (select from migrator.field f where f.company = its_company and f.bo = d.bo and f.code = d.code)
  order by d.bo, d.position;

  -- Where the order differs: first the system fields that are not named, then the named ones.
  with placed as (
    select f.bo, f.code, d.position as wanted,
           row_number() over (partition by f.bo, d.code is not null order by f.position, f.code collate "C") as actual,
           count(*) filter (where d.code is null) over (partition by f.bo) as unnamed
    from migrator.field f
    left join migrator.structure_fields(structure) d on d.bo = f.bo and d.code = f.code
    where f.company = its_company),
  judged as (select p.*, bool_or(p.wanted <> p.actual) over (partition by p.bo) as is_wrong from placed p)
  update migrator.field f
  set position = case when j.wanted is null then j.actual else j.unnamed + j.wanted end
  from judged j
  where j.is_wrong and f.company = its_company and f.bo = j.bo and f.code = j.code;
end
$$;
comment on function migrator.load_fields(text, jsonb) is 'The part of load_structure that deals with fields of BOs.';

create or replace function migrator.dump_structure(company text default null) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  its_company constant text := migrator.resolve_company(company);
begin
  return (
    with field as (
      -- A system field that is as it came says nothing.
      select f.bo, jsonb_agg(
          jsonb_build_object('code', f.code, 'name', f.name, 'type', f.type, 'in', f.need_load_from_in_tables,
            'out', f.need_upload_to_out_table, 'unique', f.is_unique, 'key', f.is_in_key)
          || case when f.type in ('bo', 'co') then jsonb_build_object('target', coalesce(f.target_bo, f.target_co))
             else '{}' end
          order by f.position, f.code collate "C") as fields
      from migrator.field f
      left join migrator.system_field() s on f.is_system and s.bo = f.bo and s.code = f.code
      where f.company = its_company
        and (s.code is null
             or (f.name, f.need_load_from_in_tables, f.need_upload_to_out_table, f.is_unique, f.is_in_key)
               is distinct from (s.code, false, false, s.is_unique, false))
      group by f.bo),
    bo as (
      select jsonb_agg(
          jsonb_build_object('code', b.code, 'name', b.name, 'fields', coalesce(f.fields, '[]'))
          || case when b.in_topic is null then '{}' else jsonb_build_object('topic', b.in_topic) end
          order by b.code collate "C") as bos
      from migrator.bo b left join field f on f.bo = b.code
      where b.company = its_company
        and (not b.is_system or f.bo is not null or (b.name, b.in_topic) is distinct from (b.code, null))),
    co_field as (
      select f.co, jsonb_agg(
          jsonb_build_object('code', f.code, 'name', f.name, 'map', coalesce(
            (select jsonb_object_agg(m.bo, m.field) from migrator.co_field_map m
             where m.company = its_company and m.co = f.co and m.co_field = f.code), '{}'))
          order by f.position, f.code collate "C") as fields
      from migrator.co_field f where f.company = its_company group by f.co),
    co as (
      select jsonb_agg(
          jsonb_build_object('code', c.code, 'name', c.name, 'fields', coalesce(f.fields, '[]'), 'members', coalesce(
            (select jsonb_agg(m.bo order by m.bo collate "C") from migrator.co_member m
             where m.company = its_company and m.co = c.code), '[]'))
          order by c.code collate "C") as cos
      from migrator.co c left join co_field f on f.co = c.code
      where c.company = its_company)
    select jsonb_build_object(
      'company', jsonb_build_object('code', c.code, 'name', c.name, 'in_schema', c.in_schema),
      'bos', coalesce(bo.bos, '[]'), 'cos', coalesce(co.cos, '[]'))
    from migrator.company c, bo, co where c.code = its_company);
end
$$;
comment on function migrator.dump_structure(text) is
  'The company as a document that load_structure takes: defaults filled in, BOs, COs and members in the order of their codes, system BOs only where something differs from what every company gets.';

revoke execute on all functions in schema migrator from public;
grant execute on function migrator.system_field(), migrator.resolve_company(text), migrator.dump_structure(text)
  to migrator_reader;
grant execute on function migrator.load_structure(jsonb), migrator.load_fields(text, jsonb),
  migrator.check_structure(jsonb), migrator.structure_shape(jsonb), migrator.structure_faults(jsonb),
  migrator.check_object(jsonb, text, jsonb), migrator.structure_bos(jsonb), migrator.structure_fields(jsonb),
  migrator.structure_cos(jsonb), migrator.structure_co_fields(jsonb) to migrator_admin;
