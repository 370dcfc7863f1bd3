-- The golden record. Keys are compared byte by byte; rows of instance keep room for a second version of each, which then
-- touches no index: loads come again in the order of the loads before, all rows of a page in one transaction.

create table migrator.instance (
  company text collate "C" not null,
  bo text collate "C" not null,
  id text collate "C" not null,
  external_id text collate "C",
  state text not null default 'ACTUAL' check (state in ('ACTUAL', 'REMOVED', 'ARCHIVED', 'TEST')),
  fields jsonb not null default '{}',
  created_at timestamp with time zone not null default pg_catalog.now(),
  updated_at timestamp with time zone not null default pg_catalog.now(),
  in_migrated_at timestamp with time zone not null default pg_catalog.now(),
  primary key (company, id)
) with (fillfactor = 50);
create unique index instance_external_id on migrator.instance (company, bo, external_id) where external_id is not null;
comment on table migrator.instance is 'Instances of business objects: the golden record. For reading with typed columns see migrator.create_bo_view.';
comment on column migrator.instance.company is 'Code of the company.';
comment on column migrator.instance.bo is 'Code of the BO.';
comment on column migrator.instance.id is 'Identity within the company: given by a message, or 16 characters that begin with the time of creation, so that new ones stand together in the index.';
comment on column migrator.instance.external_id is 'The supplier''s identity of it, unique within the BO; further ones are in instance_alias.';
comment on column migrator.instance.state is 'ACTUAL, REMOVED, ARCHIVED or TEST.';
comment on column migrator.instance.fields is 'Simple fields that have a value: code -> apiValue, always a string, in canonical form.';
comment on column migrator.instance.created_at is 'When it came into being here.';
comment on column migrator.instance.updated_at is 'When a field, a link or the state last changed.';
comment on column migrator.instance.in_migrated_at is 'When a message for it was last applied, whether or not that changed anything.';

create table migrator.instance_link (
  company text collate "C" not null,
  owner_id text collate "C" not null,
  field_code text collate "C" not null,
  target_id text collate "C" not null,
  primary key (company, owner_id, field_code, target_id)
);
create index instance_link_target on migrator.instance_link (company, target_id);
comment on table migrator.instance_link is 'Links between instances.';
comment on column migrator.instance_link.company is 'Code of the company.';
comment on column migrator.instance_link.owner_id is 'The instance that has the link.';
comment on column migrator.instance_link.field_code is 'Code of the owner''s field.';
comment on column migrator.instance_link.target_id is 'The instance it leads to.';

create table migrator.instance_unique (
  company text collate "C" not null,
  bo text collate "C" not null,
  field text collate "C" not null,
  value text collate "C" not null,
  id text collate "C" not null,
  primary key (company, bo, field, value)
);
comment on table migrator.instance_unique is 'Values of unique fields: which instance has them.';
comment on column migrator.instance_unique.company is 'Code of the company.';
comment on column migrator.instance_unique.bo is 'Code of the BO.';
comment on column migrator.instance_unique.field is 'Code of the unique field.';
comment on column migrator.instance_unique.value is 'The apiValue; of a long one the beginning and a digest (migrator.unique_key).';
comment on column migrator.instance_unique.id is 'The instance.';

create table migrator.instance_alias (
  company text collate "C" not null,
  bo text collate "C" not null,
  external_id text collate "C" not null,
  id text collate "C" not null,
  primary key (company, bo, external_id)
);
create index instance_alias_id on migrator.instance_alias (company, id);
comment on table migrator.instance_alias is 'Further external ids of an instance, from messages whose data were merged into it.';
comment on column migrator.instance_alias.company is 'Code of the company.';
comment on column migrator.instance_alias.bo is 'Code of the BO.';
comment on column migrator.instance_alias.external_id is 'The external id.';
comment on column migrator.instance_alias.id is 'The instance.';

create table migrator.seen_record (
  company text collate "C" not null,
  record_id text collate "C" not null,
  seen_at timestamp with time zone not null default pg_catalog.now(),
  primary key (record_id, company)
);
create index seen_record_at on migrator.seen_record using brin (seen_at);
comment on table migrator.seen_record is 'recordIds of applied messages: what comes again is ignored.';
comment on column migrator.seen_record.company is 'Code of the company.';
comment on column migrator.seen_record.record_id is 'The recordId; of a long one the beginning and a digest (migrator.unique_key).';
comment on column migrator.seen_record.seen_at is 'When it was applied.';

create table in_migration.boi_reference (
  company text collate "C" not null,
  owner_id text collate "C" not null,
  field_code text collate "C" not null,
  to_bo text collate "C" not null,
  to_field text collate "C",
  value text collate "C" not null,
  created_at timestamp with time zone not null default pg_catalog.now(),
  resolved_at timestamp with time zone
);
alter table in_migration.boi_reference replica identity full;  -- or a publication of all tables would forbid to change it
create unique index boi_reference_once on in_migration.boi_reference
  (company, owner_id, field_code, to_bo, to_field, value) nulls not distinct where resolved_at is null;
create index boi_reference_target on in_migration.boi_reference (company, to_bo, to_field, value) where resolved_at is null;
create index boi_reference_resolved on in_migration.boi_reference (resolved_at) where resolved_at is not null;
comment on table in_migration.boi_reference is 'Links that wait, or have waited, for their target.';
comment on column in_migration.boi_reference.company is 'Code of the company.';
comment on column in_migration.boi_reference.owner_id is 'The instance that is to have the link.';
comment on column in_migration.boi_reference.field_code is 'Code of the owner''s field.';
comment on column in_migration.boi_reference.to_bo is 'Code of the target''s BO.';
comment on column in_migration.boi_reference.to_field is 'Code of the unique field that tells the target; null: its external id does.';
comment on column in_migration.boi_reference.value is 'The awaited value; of a long one the beginning and a digest (migrator.unique_key).';
comment on column in_migration.boi_reference.created_at is 'Since when it waits.';
comment on column in_migration.boi_reference.resolved_at is 'When the target came and the link was made; null while it waits.';

create table migrator.incomplete_reference (
  company text collate "C" not null,
  bo text collate "C" not null,
  external_id text collate "C" not null,
  field_code text collate "C" not null,
  to_bo text collate "C" not null,
  to_external_id text collate "C" not null,
  checked_at timestamp with time zone not null default pg_catalog.now(),
  primary key (company, bo, external_id, field_code, to_bo, to_external_id)
);
comment on table migrator.incomplete_reference is 'Links that a reference check of the supplier names and the store did not have. A later check, or retry_references, clears what has become complete.';
comment on column migrator.incomplete_reference.company is 'Code of the company.';
comment on column migrator.incomplete_reference.bo is 'Code of the owner''s BO.';
comment on column migrator.incomplete_reference.external_id is 'The owner''s external id.';
comment on column migrator.incomplete_reference.field_code is 'Code of the owner''s field.';
comment on column migrator.incomplete_reference.to_bo is 'Code of the target''s BO.';
comment on column migrator.incomplete_reference.to_external_id is 'The target''s external id.';
comment on column migrator.incomplete_reference.checked_at is 'When it was last found incomplete.';

-- Counts changes of structures, whether committed or not: a cached structure is good as long as it stands still.
create sequence migrator.structure_version;
comment on sequence migrator.structure_version is 'Moves with every change of a BO, field or CO.';

select pg_catalog.pg_extension_config_dump('migrator.instance', '');
select pg_catalog.pg_extension_config_dump('migrator.instance_link', '');
select pg_catalog.pg_extension_config_dump('migrator.instance_unique', '');
select pg_catalog.pg_extension_config_dump('migrator.instance_alias', '');
select pg_catalog.pg_extension_config_dump('migrator.seen_record', '');
select pg_catalog.pg_extension_config_dump('in_migration.boi_reference', '');
select pg_catalog.pg_extension_config_dump('migrator.incomplete_reference', '');

grant select on migrator.instance, migrator.instance_link, migrator.instance_unique, migrator.instance_alias,
  migrator.seen_record, in_migration.boi_reference, migrator.incomplete_reference to migrator_reader;
