-- The users of a MySQL test server. Each password is the user's name followed by -secret: the servers listen
-- on 127.0.0.1 only and live for one run.
--
--   app            what gateways log in with (auth = "gateway"); owns the shop
--   ana, dora      people: support, under masks, and dba, under none
--   caching_user, sha256_user   one for each way to authenticate
--   trust_user     needs no password
CREATE USER app@'%' IDENTIFIED WITH caching_sha2_password BY 'app-secret';
CREATE USER ana@'%' IDENTIFIED WITH caching_sha2_password BY 'ana-secret';
CREATE USER dora@'%' IDENTIFIED WITH caching_sha2_password BY 'dora-secret';
CREATE USER caching_user@'%' IDENTIFIED WITH caching_sha2_password BY 'caching_user-secret';
CREATE USER sha256_user@'%' IDENTIFIED WITH sha256_password BY 'sha256_user-secret';
CREATE USER trust_user@'%' IDENTIFIED BY '';
GRANT ALL ON *.* TO app@'%', dora@'%';
-- More than support would have: a refusal that a test sees is to be the gateway's, not the server's.
GRANT ALL ON shop.* TO ana@'%', caching_user@'%', sha256_user@'%', trust_user@'%';
GRANT ALL ON `t\_%`.* TO ana@'%', caching_user@'%', sha256_user@'%', trust_user@'%';
GRANT FILE, PROCESS ON *.* TO ana@'%';
