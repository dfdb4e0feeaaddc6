-- What tests find in PostgreSQL: role and database `test`. Can be run again at any time.
-- The role is no superuser, so that a statement which needs one fails in a test already; as its
-- owner it may do everything in its own database.
select 'create role test'
where not exists (select from pg_roles where rolname = 'test') \gexec
alter role test login nosuperuser nocreatedb nocreaterole password 'test';
select 'create database test owner test'
where not exists (select from pg_database where datname = 'test') \gexec
