-- Random structures: load and dump are inverses of each other, from any state before.
begin;
select plan(6);
set client_min_messages = warning;
select setseed(0.4711);

create function pg_temp.code(prefix text, n int) returns text language sql as $$
  select prefix || n || (array['', ' Я', '"', ' ;--', 'Order', '😀', E'\u200F', repeat('x', 70)])[1 + n % 8]
$$;
create function pg_temp.chance() returns boolean language sql volatile as $$ select random() < 0.5 $$;

-- A document as dump_structure writes it, except for the order of what has none.
create function pg_temp.random_document(size int) returns jsonb language plpgsql as $$
declare
  bos text[] := array(select pg_temp.code('B', n) from generate_series(1, size) n where random() < 0.7);
  cos text[] := array(select pg_temp.code('C', n) from generate_series(1, size / 2) n where random() < 0.7);
  kinds text[] := '{text,text_block,choice,date,flag,number,file}';
  document jsonb := jsonb_build_object('company', '{"code": "random", "name": "R", "in_schema": "random"}'::jsonb,
                                       'bos', '[]'::jsonb, 'cos', '[]'::jsonb);
  bo text;
  item jsonb;
  fields jsonb;
  members text[];
  kind text;
  target text;
  has_key boolean;
begin
  if pg_temp.chance() then bos := bos || array['Person', 'Department']; end if;
  foreach bo in array bos loop
    fields := '[]';
    has_key := false;
    for n in reverse 12..1 loop
      continue when random() < 0.4;
      kind := kinds[1 + floor(random() * 7)];
      target := null;
      if pg_temp.chance() then
        kind := 'bo';
        target := bos[1 + floor(random() * cardinality(bos))];
      elsif cardinality(cos) > 0 and pg_temp.chance() then
        kind := 'co';
        target := cos[1 + floor(random() * cardinality(cos))];
      end if;
      item := jsonb_build_object('code', pg_temp.code('f', n), 'name', md5(random()::text), 'type', kind,
        'in', pg_temp.chance(), 'out', pg_temp.chance(), 'unique', kind <> 'file' and pg_temp.chance(),
        'key', not has_key and target is null and kind <> 'file' and pg_temp.chance());
      has_key := has_key or (item ->> 'key')::boolean;
      if target is not null then item := item || jsonb_build_object('target', target); end if;
      fields := case when pg_temp.chance() then fields || item else item || fields end;
    end loop;
    if bo = 'Person' then
      fields := fields || '[{"code": "email", "name": "email", "type": "text", "in": true, "out": false, "unique": true, "key": false}]';
    end if;
    item := jsonb_build_object('code', bo, 'name', 'name of ' || bo, 'fields', fields);
    if pg_temp.chance() then item := item || '{"topic": "T.1"}'; end if;
    document := jsonb_insert(document, '{bos,-1}', item, true);
  end loop;
  for n in 1..cardinality(cos) loop
    members := array(select b from unnest(bos) b where pg_temp.chance());
    fields := '[]';
    for m in 1..3 loop
      fields := fields || jsonb_build_object('code', pg_temp.code('cf', m), 'name', 'n', 'map', coalesce((
        select jsonb_object_agg(b ->> 'code', b #>> '{fields,0,code}')
        from jsonb_array_elements(document -> 'bos') b
        where b ->> 'code' = any (members) and jsonb_array_length(b -> 'fields') > 0), '{}'));
    end loop;
    document := jsonb_insert(document, '{cos,-1}', jsonb_build_object('code', cos[n], 'name', 'c', 'members', to_jsonb(members),
                             'fields', fields), true);
  end loop;
  return document;
end $$;

create function pg_temp.sorted(document jsonb) returns jsonb language sql as $$
  select document || jsonb_build_object(
    'bos', (select coalesce(jsonb_agg(b order by b ->> 'code' collate "C"), '[]') from jsonb_array_elements(document -> 'bos') b),
    'cos', (select coalesce(jsonb_agg(c || jsonb_build_object('members',
                     (select coalesce(jsonb_agg(m order by m collate "C"), '[]') from jsonb_array_elements_text(c -> 'members') m))
                   order by c ->> 'code' collate "C"), '[]') from jsonb_array_elements(document -> 'cos') c))
$$;

create temporary table tried (nth int, document jsonb, dump jsonb);
do $$
begin
  for n in 1..60 loop
    insert into tried values (n, pg_temp.random_document(1 + n % 9));
    perform migrator.load_structure(document) from tried where nth = n;
    update tried set dump = migrator.dump_structure('random') where nth = n;
  end loop;
end $$;
select cmp_ok((select count(*) from tried where jsonb_array_length(document -> 'bos') > 1), '>', 40::bigint, 'the documents are not empty');
select is_empty('select nth from tried where dump <> pg_temp.sorted(document)', 'dump gives what was loaded, each over the one before');

do $$
declare
  t record;
begin
  for t in select * from tried loop
    perform migrator.load_structure(t.dump);
    update tried set document = migrator.dump_structure('random') where nth = t.nth;
  end loop;
end $$;
select is_empty('select nth from tried where dump <> document', 'loading a dump gives that dump');

-- Rows written by hand: loading the dump of them changes nothing, also in a company that is new.
update migrator.field set position = 10 * position where company = 'random';
insert into migrator.field (company, bo, code, type, position) values ('random', 'Person', 'first', 'text', -1);
update migrator.bo set name = 'Люди' where company = 'random' and code = 'Person';
update migrator.field set need_upload_to_out_table = true where company = 'random' and bo = 'PersonGroup' and code = 'users';
create temporary table rows_before as table migrator.field;
create temporary table last as select migrator.dump_structure('random') as document;
select migrator.load_structure(document) from last;
select set_eq('table migrator.field', 'table rows_before', 'loading the dump of the present state changes no row');
delete from migrator.company where code = 'random';
select migrator.load_structure(document) from last;
select is(migrator.dump_structure('random'), document, 'a new company takes the dump') from last;
update last set document = jsonb_set(document, '{bos}', (
  select jsonb_agg(b order by random()) from jsonb_array_elements(document -> 'bos') b));
select migrator.load_structure(document) from last;
select is(migrator.dump_structure('random'), pg_temp.sorted(document), 'the order of BOs does not matter') from last;

select * from finish();
rollback;
