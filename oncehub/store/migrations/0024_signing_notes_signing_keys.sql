-- A key that is noted and is not there stops the hub, but for signing's, of which one that is there will do.
-- So signing's login, which notes keys too, notes no others.
alter table hub.key enable row level security;
create policy known on hub.key for select using (true);
create policy noted on hub.key for insert with check (use = 'signing');
