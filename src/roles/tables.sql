-- Roles belong to the cluster, not to the database: another database may have made them already,
-- and dropping the extension leaves them.
do $$
declare
  role_name name;
begin
  foreach role_name in array array['migrator_admin', 'migrator_operator', 'migrator_reader', 'migrator_supplier']
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
      execute pg_catalog.format('create role %I nologin', role_name);
    end if;
  end loop;
end
$$;

-- Who may do more may also do less. Monitoring tools connect as members of pg_monitor.
do $$
declare
  missing record;
begin
  for missing in
    select * from (values ('migrator_reader', 'migrator_operator'),
                          ('migrator_operator', 'migrator_admin'),
                          ('migrator_reader', 'pg_monitor')) as g (role, grantee)
    where not exists (select from pg_catalog.pg_auth_members m
                      where m.roleid = g.role::regrole and m.member = g.grantee::regrole)
  loop
    execute pg_catalog.format('grant %I to %I', missing.role, missing.grantee);
  end loop;
end
$$;

-- migrator_admin creates in-schemas (apply_in_ddl) and foreign servers without being superuser.
do $$
begin
  execute pg_catalog.format('grant create on database %I to migrator_admin', pg_catalog.current_database());
end
$$;

create schema in_migration;
comment on schema in_migration is 'What the operator looks at: copies, errors, timings, waiting links.';

revoke all on schema migrator, in_migration from public;
grant usage on schema migrator, in_migration to migrator_reader;
