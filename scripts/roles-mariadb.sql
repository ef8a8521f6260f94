-- The users of a MariaDB test server. Each password is the user's name followed by -secret: the servers listen
-- on 127.0.0.1 only and live for one run.
--
--   app            what gateways log in with (auth = "gateway"); owns the shop
--   ana, dora      people: support, under masks, and dba, under none
--   native_user, ed25519_user   one for each way to authenticate
--   trust_user     needs no password
CREATE USER app@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('app-secret');
CREATE USER ana@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('ana-secret');
CREATE USER dora@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('dora-secret');
CREATE USER native_user@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('native_user-secret');
CREATE USER ed25519_user@'%' IDENTIFIED VIA ed25519 USING PASSWORD('ed25519_user-secret');
CREATE USER trust_user@'%' IDENTIFIED BY '';
GRANT ALL ON *.* TO app@'%', dora@'%';
-- More than support would have: a refusal that a test sees is to be the gateway's, not the server's.
GRANT ALL ON shop.* TO ana@'%', native_user@'%', ed25519_user@'%', trust_user@'%';
GRANT ALL ON `t\_%`.* TO ana@'%', native_user@'%', ed25519_user@'%', trust_user@'%';
GRANT FILE, PROCESS ON *.* TO ana@'%';
