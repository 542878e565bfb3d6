CREATE EXTENSION semver;
CREATE TABLE release (name text, version semver, PRIMARY KEY (name, version));
INSERT INTO release VALUES ('stack', '1.9.0'), ('stack', '1.10.0'), ('stack', '1.10.0-rc.1'), ('stack', '0.12.3');
