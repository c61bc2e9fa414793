-- Empty: the default key policy, whose text follows from the account.
ALTER TABLE kms_key ADD COLUMN policy TEXT NOT NULL DEFAULT '';

CREATE TABLE key_tag (
  key_id TEXT NOT NULL REFERENCES kms_key (id),
  tag_key TEXT NOT NULL,
  tag_value TEXT NOT NULL,
  PRIMARY KEY (key_id, tag_key)
);
