\set n random(0, 100000 * :scale - 1)
select * from customers where id = ('01890000-0000-7001-8000-' || lpad(:n::text, 12, '0'))::uuid;
