-- The roles of a test server. Each password is the role's name followed by -secret: the servers listen on
-- 127.0.0.1 only and live for one run.
--
--   app            what gateways log in with (auth = "gateway"); owns the shop; SCRAM
--   ana, dora      people: support, under masks, and dba, under none; SCRAM
--   scram_user, md5_user, password_user   one for each way to authenticate, see pg_hba.conf
--   trust_user     needs no password
--   raider         a superuser without a password: who attacks must not be stopped by the server's own privileges
--   replica        may replicate
SET client_min_messages = error;
SET password_encryption = 'scram-sha-256';
CREATE ROLE app LOGIN CREATEDB PASSWORD 'app-secret';
CREATE ROLE ana LOGIN PASSWORD 'ana-secret';
CREATE ROLE dora LOGIN PASSWORD 'dora-secret';
CREATE ROLE scram_user LOGIN PASSWORD 'scram_user-secret';
CREATE ROLE password_user LOGIN PASSWORD 'password_user-secret';
CREATE ROLE trust_user LOGIN;
CREATE ROLE raider LOGIN SUPERUSER;
CREATE ROLE replica LOGIN REPLICATION PASSWORD 'replica-secret';
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD 'md5_user-secret';
GRANT app TO ana, dora, scram_user, md5_user, password_user, trust_user;
