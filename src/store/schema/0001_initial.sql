-- Times are milliseconds since the epoch, byte strings lower-case hexadecimal, two-valued columns
-- 0 or 1, words as in base/vocabulary.cc and store/words.cc.

CREATE TABLE setting (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE kms_key (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  spec TEXT NOT NULL,
  key_usage TEXT NOT NULL,
  origin TEXT NOT NULL,
  state TEXT NOT NULL,
  description TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  deletion_at BIGINT,
  destroying SMALLINT NOT NULL CHECK (destroying IN (0, 1)),
  rotation_enabled SMALLINT NOT NULL CHECK (rotation_enabled IN (0, 1)),
  rotation_period_days INTEGER NOT NULL,
  next_rotation_at BIGINT,
  on_demand_rotations INTEGER NOT NULL,
  version BIGINT NOT NULL,
  -- 0 from the intent to create it until its first material is proven: it exists for nobody.
  born SMALLINT NOT NULL CHECK (born IN (0, 1))
);

CREATE TABLE key_material (
  object_name TEXT NOT NULL PRIMARY KEY,
  key_id TEXT NOT NULL REFERENCES kms_key (id),
  material_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  custody TEXT NOT NULL,
  construction TEXT NOT NULL,
  check_value TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  rotation_type TEXT,
  rotated_at BIGINT,
  announced SMALLINT NOT NULL CHECK (announced IN (0, 1)),
  -- How many direct invocations of the material were ever reserved.
  invocations BIGINT NOT NULL,
  UNIQUE (key_id, sequence),
  UNIQUE (key_id, material_id)
);

CREATE TABLE intent (
  object_name TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  -- One attempt at a time: this is what makes a second rotation of the key a conflict.
  key_id TEXT NOT NULL UNIQUE REFERENCES kms_key (id),
  started_at BIGINT NOT NULL
);

CREATE TABLE alias (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  target_key_id TEXT NOT NULL REFERENCES kms_key (id),
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);

CREATE INDEX alias_by_target ON alias (target_key_id);

CREATE TABLE credential (
  access_key_id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  principal TEXT NOT NULL,
  sealed_secret TEXT NOT NULL,
  status TEXT NOT NULL,
  generation BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
