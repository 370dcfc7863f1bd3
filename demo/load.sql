-- What a supplier does: opens a load, fills the in-tables, closes the load.
set role migrator_supplier;
set search_path = in_tables;

insert into process_tracking (oper_date, start_load_time) values (current_date, clock_timestamp());

insert into in_naturalperson (in_id, surname, name, iin, birthdate)
select 'np-' || i, (array['Ахметова', 'Иванов', 'Smith', 'Müller', 'Оспанов'])[1 + i % 5], (array['Айгуль', 'Пётр', 'Ann', 'Jürgen'])[1 + i % 4],
       (700000000000 + i)::text, timestamptz '1950-01-01 UTC' + i * interval '3 days'
  from generate_series(1, 6000) i;
-- One row that the format cannot carry: it ends in ERROR and holds up nobody.
update in_naturalperson set birthdate = 'infinity' where in_id = 'np-4711';
-- Gone at the source.
update in_naturalperson set removed = true where in_id = 'np-13';

insert into in_legalperson (in_id, name, bin, createdate)
select 'lp-' || i, 'ТОО "Компания ' || i || '"', (100000000000 + i)::text, timestamptz '1995-01-01 UTC' + i * interval '2 days'
  from generate_series(1, 4000) i;

insert into in_naturalclaim (in_id, name, descr)
select 'nc-' || i, 'Заявка ' || i, E'Первая строка\nи вторая, с "кавычками"'
  from generate_series(1, 5000) i;
insert into in_naturalclaim_natural (naturalclaim_id, natural_id)
select 'nc-' || i, 'np-' || 1 + i % 6000 from generate_series(1, 5000) i;

insert into in_clientclaim (in_id, name, descr)
select 'cc-' || i, 'Заявка ' || i, 'Кредит' from generate_series(1, 5000) i;
insert into in_clientclaim_coclient_naturalperson (clientclaim_id, coclient_id)
select 'cc-' || i, 'np-' || 1 + i % 6000 from generate_series(1, 3000) i;
insert into in_clientclaim_coclient_legalperson (clientclaim_id, coclient_id)
select 'cc-' || i, 'lp-' || 1 + i % 4000 from generate_series(2001, 5000) i;

update process_tracking set end_load_time = clock_timestamp(), load_status = 1 where id = (select max(id) from process_tracking);
