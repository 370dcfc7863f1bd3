-- 500 codes that try to be more than a name, each as a BO, a field and a link: the DDL executes with them as names, and nothing else
-- is executed.
begin;
select plan(8);
set client_min_messages = warning;

create table public.canary (alive int);
insert into public.canary values (1);
create temporary table fragment (n serial, part text);
insert into fragment (part) values
  ('"'), (''''), (';'), ('$$'), ('$x$'), ('\'), ('\\'), ('--'), ('/*'), ('*/'), ('"; drop table public.canary; --'),
  ('''; drop table public.canary; --'), ('$$; drop table public.canary; $$'), ('" text); drop table public.canary; create table public.x ("'),
  ('x" text, "y'), ('%I'), ('%1$s'), ('{"a":'), (E'\u200f'), (E'\u202e'), (E'\u200b'), (E'\ufeff'), (E'\u00ad'), ('ы'), ('é'), ('e' || E'\u0301'), ('😀'), (' '),
  ('.'), ('public.canary'), ('E''\x27'''), ('U&"\0022"');

create temporary table code (n serial, code text unique);
-- Two fragments in each order, around a letter that makes them differ.
insert into code (code)
  select a.part || 'x' || a.n || '_' || b.n || b.part from fragment a, fragment b where (a.n * 7 + b.n * 3) % 5 < 3 order by a.n, b.n limit 470;
-- At the limit of a name, in characters of one to four bytes, with a quote in the place of the cut.
insert into code (code)
  select left(repeat(letter, 40), length) || q || n from (values ('"'), ('''')) as quotes (q),
    (values (1, 'ы', 31), (2, 'ы', 32), (3, '日', 20), (4, '日', 21), (5, '😀', 15), (6, '😀', 16), (7, 'é', 31), (8, '"', 15), (9, '''', 21), (10, '\', 31)) as l (n, letter, length);
insert into code (code) select repeat('a', 61 + i) || '"' from generate_series(0, 4) i;
insert into code (code) select 'a"' || repeat('ы', 30) || i from generate_series(1, 5) i;
select is(count(*), 500::bigint, 'there are 500 codes') from code;
select is(count(*), 500::bigint, 'and the structure takes them as codes') from code where code ~ '[^ ]' and octet_length(code) <= 500;

-- Fifty BOs at a time.
create temporary table tried (n int, state text, message text);
do $$
declare
  part int;
  document jsonb;
begin
  for part in 0..9 loop
    document := jsonb_build_object('company', jsonb_build_object('code', 'injection', 'in_schema', 'injected'),
      'bos', (select jsonb_agg(jsonb_build_object('code', code, 'fields', jsonb_build_array(
          jsonb_build_object('code', code || ' f', 'type', 'text', 'in', true),
          jsonb_build_object('code', code || ' l', 'type', 'bo', 'target', code, 'in', true))) order by n) from code where n % 10 = part));
    begin
      perform migrator.load_structure(document);
      perform migrator.apply_in_ddl('injection');
      insert into tried select part, '00000', string_agg(format('%s.%s', relname, attname), ' ') from (
        select relname, attname from migrator.in_layout('injection') where attname is not null
        except select c.relname::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'injected'::regnamespace) missing;
    exception when others then
      insert into tried values (part, sqlstate, sqlerrm);
    end;
  end loop;
end $$;
select is_empty('select * from tried where state <> ''00000'' or message is not null', 'the DDL executes with every one of them, and what it makes bears its name');
select results_eq('select alive from public.canary', array[1], 'nothing was dropped or changed');
select is((select count(*) from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S')
             and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')), 1::bigint, 'nothing was created elsewhere');
select is(count(*), (500 + 500 + 2)::bigint, 'there are a table of fields and one of links for each code, and no others')
from pg_class where relnamespace = 'injected'::regnamespace and relkind = 'r';

-- The script is as harmless as the statements.
create temporary table script as select migrator.generate_in_ddl('injection') as text;
drop schema injected cascade;
do $$ begin execute (select text from script); end $$;
select is(count(*), (50 + 50 + 2)::bigint, 'the script makes the tables of its fifty BOs')
from pg_class where relnamespace = 'injected'::regnamespace and relkind = 'r';
select results_eq('select alive from public.canary', array[1], 'and nothing else');
select * from finish();
rollback;
