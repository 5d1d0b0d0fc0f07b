-- Only marks that are still the ones read: a record marked again since is another run's work. A row that a
-- landing batch holds at this moment is left too; waiting for it could end in a deadlock.
delete from intake.dirty d
using (
    select source, stream, source_key
    from intake.dirty i join dirty_record r using (source, stream, source_key, mark)
    for update of i skip locked
) done
where (d.source, d.stream, d.source_key) = (done.source, done.stream, done.source_key);
