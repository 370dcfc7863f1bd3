-- What apply_in_ddl has made, under which name. The codes follow a change of code and the names do not: where they
-- differ, a table or column waits to be renamed.
create table migrator.in_object (
  company text not null,
  bo text not null,
  field text,
  member text,
  in_schema text not null,
  relname text not null,
  attname text,
  owner_attname text,
  constraint in_object_key unique nulls not distinct (company, bo, field, member),
  constraint in_object_bo foreign key (company, bo) references migrator.bo on update cascade on delete cascade,
  constraint in_object_field foreign key (company, bo, field) references migrator.field
    on update cascade on delete cascade,
  constraint in_object_member foreign key (company, member) references migrator.bo on update cascade on delete cascade
);
create index in_object_by_member on migrator.in_object (company, member) where member is not null;
comment on table migrator.in_object is
  'In-tables, their columns and link tables as apply_in_ddl left them: a row with field null is a BO''s table, one with owner_attname a link table, any other a column.';
comment on column migrator.in_object.company is 'Code of the company.';
comment on column migrator.in_object.bo is 'Code of the BO whose table, field or link it is.';
comment on column migrator.in_object.field is 'Code of the field.';
comment on column migrator.in_object.member is 'Link of a CO field: code of the member that this table is for.';
comment on column migrator.in_object.in_schema is 'Schema in which it was made.';
comment on column migrator.in_object.relname is 'Name of the table; of a column''s table at that time.';
comment on column migrator.in_object.attname is 'Name of the column; of a link table''s column for the target.';
comment on column migrator.in_object.owner_attname is 'Name of a link table''s column for the owner.';
select pg_catalog.pg_extension_config_dump('migrator.in_object', '');

grant select on migrator.in_object to migrator_reader;
grant insert, update, delete on migrator.in_object to migrator_admin;
