-- Keys in the token that materials of wrapped custody are wrapped and sealed under.
CREATE TABLE custody_key (
  object_name TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL,
  -- Empty until the key is made.
  check_value TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- One is made at a time, and one is current.
CREATE UNIQUE INDEX custody_key_intended ON custody_key (state) WHERE state = 'intended';
CREATE UNIQUE INDEX custody_key_current ON custody_key (state) WHERE state = 'current';

-- A material of wrapped custody: null and empty for every other.
ALTER TABLE key_material ADD COLUMN custody_key TEXT REFERENCES custody_key (object_name);
ALTER TABLE key_material ADD COLUMN wrapped TEXT NOT NULL DEFAULT '';
ALTER TABLE key_material ADD COLUMN seal TEXT NOT NULL DEFAULT '';

CREATE INDEX key_material_by_custody_key ON key_material (custody_key);
