-- What a company consists of. Codes are identity: every reference follows a changed code.

create table migrator.company (
  code text primary key,
  name text not null,
  in_schema text not null default 'in_tables' unique,
  has_in_migration boolean not null default false,
  kafka_server text,
  in_topic text not null default 'IN_MIGRATION',
  workers integer not null default 2,
  copy_days integer not null default 10,
  constraint code_makes_sense check (
    code ~ '[^ ]' and code !~ '[\u0001-\u001f\u007f-\u009f]' and octet_length(code) <= 500),
  constraint in_schema_is_a_schema_name check (
    in_schema ~ '[^ ]' and in_schema !~ '[\u0001-\u001f\u007f-\u009f]' and octet_length(in_schema) <= 63),
  constraint in_schema_is_in_lower_case check (in_schema = lower(in_schema collate "C")),
  constraint in_schema_is_not_reserved check (
    in_schema !~ '^pg_' and in_schema not in ('migrator', 'in_migration', 'information_schema')),
  constraint in_topic_is_a_topic_name check (
    in_topic ~ '^[a-zA-Z0-9._-]{1,249}$' and in_topic not in ('.', '..')),
  constraint workers_from_1_to_64 check (workers between 1 and 64),
  constraint copy_days_not_negative check (copy_days >= 0)
);
comment on table migrator.company is 'Companies (accounts): everything belongs to one. Its settings are columns.';
comment on column migrator.company.code is 'Identity; may be changed.';
comment on column migrator.company.name is 'For people; the code if not given.';
comment on column migrator.company.in_schema is 'Schema of the in-tables, as the database spells it; belongs to this company alone.';
comment on column migrator.company.has_in_migration is 'Whether IN migration may start.';
comment on column migrator.company.kafka_server is 'Foreign server (migrator_kafka) to which IN migration publishes.';
comment on column migrator.company.in_topic is 'Topic of IN migration for every BO without one of its own.';
comment on column migrator.company.workers is 'Parallel publishers, 1 to 64.';
comment on column migrator.company.copy_days is 'Days for which copies of the in-tables are kept; 0: none are made.';

create table migrator.bo (
  company text not null,
  code text not null,
  name text not null,
  is_system boolean not null default false,
  in_topic text,
  primary key (company, code),
  constraint bo_company foreign key (company) references migrator.company
    on update cascade on delete cascade,
  constraint code_makes_sense check (
    code ~ '[^ ]' and code !~ '[\u0001-\u001f\u007f-\u009f]' and octet_length(code) <= 500),
  constraint system_codes_are_for_system_bos check (
    is_system = (code in ('Person', 'Department', 'PersonGroup', 'Company'))),
  constraint in_topic_is_a_topic_name check (
    in_topic ~ '^[a-zA-Z0-9._-]{1,249}$' and in_topic not in ('.', '..'))
);
comment on table migrator.bo is 'Business objects: the types of records.';
comment on column migrator.bo.company is 'Code of the company.';
comment on column migrator.bo.code is 'Identity within the company; may be changed, except of a system BO.';
comment on column migrator.bo.name is 'For people; the code if not given.';
comment on column migrator.bo.is_system is 'Person, Department, PersonGroup, Company: every company has them.';
comment on column migrator.bo.in_topic is 'Topic of IN migration for this BO; null: the company''s.';

create table migrator.co (
  company text not null,
  code text not null,
  name text not null,
  primary key (company, code),
  constraint co_company foreign key (company) references migrator.company
    on update cascade on delete cascade,
  constraint code_makes_sense check (
    code ~ '[^ ]' and code !~ '[\u0001-\u001f\u007f-\u009f]' and octet_length(code) <= 500)
);
comment on table migrator.co is 'Composite objects: a target of links that stands for one of several BOs and holds no data itself.';
comment on column migrator.co.company is 'Code of the company.';
comment on column migrator.co.code is 'Identity within the company; may be changed.';
comment on column migrator.co.name is 'For people; the code if not given.';

create table migrator.field (
  company text not null,
  bo text not null,
  code text not null,
  name text not null,
  type text not null,
  target_bo text,
  target_co text,
  need_load_from_in_tables boolean not null default false,
  need_upload_to_out_table boolean not null default false,
  is_unique boolean not null default false,
  is_in_key boolean not null default false,
  position integer not null,
  is_system boolean not null default false,
  primary key (company, bo, code),
  constraint field_bo foreign key (company, bo) references migrator.bo
    on update cascade on delete cascade,
  constraint field_target_bo foreign key (company, target_bo) references migrator.bo
    on update cascade,
  constraint field_target_co foreign key (company, target_co) references migrator.co
    on update cascade,
  constraint code_makes_sense check (
    code ~ '[^ ]' and code !~ '[\u0001-\u001f\u007f-\u009f]' and octet_length(code) <= 500),
  constraint type_is_known check (
    type in ('text', 'text_block', 'choice', 'date', 'flag', 'number', 'file', 'bo', 'co')),
  constraint target_bo_if_and_only_if_type_bo check ((type = 'bo') = (target_bo is not null)),
  constraint target_co_if_and_only_if_type_co check ((type = 'co') = (target_co is not null)),
  constraint in_key_is_a_simple_field check (not is_in_key or type not in ('bo', 'co', 'file')),
  constraint file_is_not_unique check (not is_unique or type <> 'file'),
  constraint company_does_not_migrate check (
    bo <> 'Company' or not (need_load_from_in_tables or is_in_key))
);
create unique index field_one_in_key on migrator.field (company, bo) where is_in_key;
create index field_by_target_bo on migrator.field (company, target_bo) where target_bo is not null;
create index field_by_target_co on migrator.field (company, target_co) where target_co is not null;
comment on index migrator.field_one_in_key is 'A BO has at most one key field of IN migration.';
comment on table migrator.field is 'Fields of business objects.';
comment on column migrator.field.company is 'Code of the company.';
comment on column migrator.field.bo is 'Code of the BO.';
comment on column migrator.field.code is 'Identity within the BO; may be changed, except of a system field.';
comment on column migrator.field.name is 'For people; the code if not given.';
comment on column migrator.field.type is 'text, text_block, choice, date, flag, number, file, bo (a link to a BO), co (a link to one of several BOs).';
comment on column migrator.field.target_bo is 'The BO to which a field of type bo links.';
comment on column migrator.field.target_co is 'The CO to which a field of type co links.';
comment on column migrator.field.need_load_from_in_tables is 'The field takes part in IN migration.';
comment on column migrator.field.need_upload_to_out_table is 'The field takes part in OUT migration.';
comment on column migrator.field.is_unique is 'A value identifies an instance within the BO.';
comment on column migrator.field.is_in_key is 'The field receives in_id itself: it takes part in IN migration without a column of its own.';
comment on column migrator.field.position is 'Order within the BO; at the end if not given.';
comment on column migrator.field.is_system is 'One of the fields with which a system BO comes; its code, type and target stay.';

create table migrator.co_member (
  company text not null,
  co text not null,
  bo text not null,
  primary key (company, co, bo),
  constraint co_member_co foreign key (company, co) references migrator.co
    on update cascade on delete cascade,
  constraint co_member_bo foreign key (company, bo) references migrator.bo
    on update cascade on delete cascade
);
create index co_member_by_bo on migrator.co_member (company, bo);
comment on table migrator.co_member is 'The BOs for which a composite object stands.';
comment on column migrator.co_member.company is 'Code of the company.';
comment on column migrator.co_member.co is 'Code of the CO.';
comment on column migrator.co_member.bo is 'Code of a BO that the CO may stand for.';

create table migrator.co_field (
  company text not null,
  co text not null,
  code text not null,
  name text not null,
  position integer not null,
  primary key (company, co, code),
  constraint co_field_co foreign key (company, co) references migrator.co
    on update cascade on delete cascade,
  constraint code_makes_sense check (
    code ~ '[^ ]' and code !~ '[\u0001-\u001f\u007f-\u009f]' and octet_length(code) <= 500)
);
comment on table migrator.co_field is 'Fields of composite objects: each is one field of every member.';
comment on column migrator.co_field.company is 'Code of the company.';
comment on column migrator.co_field.co is 'Code of the CO.';
comment on column migrator.co_field.code is 'Identity within the CO; may be changed.';
comment on column migrator.co_field.name is 'For people; the code if not given.';
comment on column migrator.co_field.position is 'Order within the CO; at the end if not given.';

create table migrator.co_field_map (
  company text not null,
  co text not null,
  co_field text not null,
  bo text not null,
  field text not null,
  primary key (company, co, co_field, bo),
  constraint co_field_map_co_field foreign key (company, co, co_field) references migrator.co_field
    on update cascade on delete cascade,
  constraint co_field_map_member foreign key (company, co, bo) references migrator.co_member
    on update cascade on delete cascade,
  constraint co_field_map_field foreign key (company, bo, field) references migrator.field
    on update cascade on delete cascade
);
create index co_field_map_by_field on migrator.co_field_map (company, bo, field);
comment on table migrator.co_field_map is 'Which field of a member stands behind a field of a composite object.';
comment on column migrator.co_field_map.company is 'Code of the company.';
comment on column migrator.co_field_map.co is 'Code of the CO.';
comment on column migrator.co_field_map.co_field is 'Code of the field of the CO.';
comment on column migrator.co_field_map.bo is 'Code of the member.';
comment on column migrator.co_field_map.field is 'Code of the field of the member.';

select pg_catalog.pg_extension_config_dump('migrator.company', '');
select pg_catalog.pg_extension_config_dump('migrator.bo', '');
select pg_catalog.pg_extension_config_dump('migrator.co', '');
select pg_catalog.pg_extension_config_dump('migrator.field', '');
select pg_catalog.pg_extension_config_dump('migrator.co_member', '');
select pg_catalog.pg_extension_config_dump('migrator.co_field', '');
select pg_catalog.pg_extension_config_dump('migrator.co_field_map', '');

grant select on migrator.company, migrator.bo, migrator.co, migrator.field, migrator.co_member, migrator.co_field,
  migrator.co_field_map to migrator_reader;
grant insert, update, delete on migrator.company, migrator.bo, migrator.co, migrator.field, migrator.co_member,
  migrator.co_field, migrator.co_field_map to migrator_admin;
