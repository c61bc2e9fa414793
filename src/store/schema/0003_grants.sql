CREATE TABLE kms_grant (
  grant_id TEXT NOT NULL PRIMARY KEY,
  key_id TEXT NOT NULL REFERENCES kms_key (id),
  -- Empty where there is none.
  name TEXT NOT NULL,
  grantee TEXT NOT NULL,
  retiring_principal TEXT NOT NULL,
  issuing_account TEXT NOT NULL,
  -- Words of the API, separated by single spaces.
  operations TEXT NOT NULL,
  context_constraint TEXT NOT NULL,
  source_arn TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE INDEX grant_by_key ON kms_grant (key_id);

-- The pairs of a grant's encryption context constraint.
CREATE TABLE grant_context (
  grant_id TEXT NOT NULL REFERENCES kms_grant (grant_id),
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (grant_id, name)
);

-- The last successful cryptographic use of a key.
CREATE TABLE key_last_usage (
  key_id TEXT NOT NULL PRIMARY KEY REFERENCES kms_key (id),
  operation TEXT NOT NULL,
  used_at BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  request_id TEXT NOT NULL
);
