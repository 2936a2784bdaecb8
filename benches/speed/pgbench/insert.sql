insert into ceiling (body) values (repeat('x', 300));
