-- Rules for every object of the extension, whichever feature brought it.
begin;
select plan(4);

create temporary view member as
select classid, objid, pg_describe_object(classid, objid, 0) as what
  from pg_depend
 where deptype = 'e' and refclassid = 'pg_extension'::regclass
   and refobjid = (select oid from pg_extension where extname = 'migrator');

-- Internal members (row types, toast tables, sequences of serial columns) are described with their owners.
select is_empty($$
    select what from member
     where classid in ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass)
       and obj_description(objid, (select relname from pg_class where oid = classid)) is null
       and not exists (select from pg_class c where c.oid = objid and classid = 'pg_class'::regclass and c.relkind in ('S', 'i', 'I', 't', 'c'))
     order by what
  $$, 'every schema, function, table and view has a comment');

select is_empty($$
    select what || '.' || attname from member
      join pg_attribute on attrelid = objid and attnum > 0 and not attisdropped
      join pg_class c on c.oid = objid
     where classid = 'pg_class'::regclass and c.relkind in ('r', 'v', 'm', 'p', 'f') and col_description(objid, attnum) is null
     order by objid, attnum
  $$, 'every column of a table or view has a comment');

-- A null ACL stands for the default, and the default of a function is EXECUTE for PUBLIC. Row types follow their tables.
create temporary view granted as
select what, 'f' as kind, proacl as acl, proowner as owner from member join pg_proc p on p.oid = objid and classid = 'pg_proc'::regclass
union all
select what, case relkind when 'S' then 's' else 'r' end, relacl, relowner from member join pg_class c on c.oid = objid and classid = 'pg_class'::regclass
union all
select what || '.' || attname, 'c', attacl, relowner from member join pg_class c on c.oid = objid and classid = 'pg_class'::regclass
  join pg_attribute on attrelid = objid where attacl is not null
union all
select what, 'n', nspacl, nspowner from member join pg_namespace n on n.oid = objid and classid = 'pg_namespace'::regclass
union all
select what, 'T', typacl, typowner from member join pg_type t on t.oid = objid and classid = 'pg_type'::regclass where typtype in ('d', 'e')
union all
select what, 'F', fdwacl, fdwowner from member join pg_foreign_data_wrapper w on w.oid = objid and classid = 'pg_foreign_data_wrapper'::regclass;

select is_empty($$
    select what, privilege_type
      from granted, lateral aclexplode(coalesce(acl, acldefault(kind::"char", owner)))
     where grantee = 0
     order by 1, 2
  $$, 'PUBLIC has no privilege on anything');

-- A caller's search_path must not decide which operator or table a function meets. PostgreSQL allows no such setting on a
-- procedure that commits; those run with the caller's own rights.
select is_empty($$
    select what from member join pg_proc p on p.oid = objid and classid = 'pg_proc'::regclass
     where prolang in (select oid from pg_language where lanname in ('sql', 'plpgsql')) and prosqlbody is null
       and not (prokind = 'p' and not prosecdef)
       and not exists (select from unnest(proconfig) setting where setting like 'search_path=%')
     order by what
  $$, 'every function in SQL or PL/pgSQL fixes its search_path');

select * from finish();
rollback;
