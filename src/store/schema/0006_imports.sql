-- Imported key material: whether it is in the token, what it is to its key, until when it is good.
ALTER TABLE key_material ADD COLUMN presence TEXT NOT NULL DEFAULT 'present';
ALTER TABLE key_material ADD COLUMN standing TEXT NOT NULL DEFAULT 'permanent';
ALTER TABLE key_material ADD COLUMN valid_to BIGINT;
ALTER TABLE key_material ADD COLUMN description TEXT NOT NULL DEFAULT '';

-- Key pairs in the token under which key material comes.
CREATE TABLE wrapping_key (
  object_name TEXT NOT NULL PRIMARY KEY,
  key_id TEXT NOT NULL REFERENCES kms_key (id),
  algorithm TEXT NOT NULL,
  spec TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  -- Empty until the pair is made.
  public_key TEXT NOT NULL
);

CREATE INDEX wrapping_key_by_key ON wrapping_key (key_id);
