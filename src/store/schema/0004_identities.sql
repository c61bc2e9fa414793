-- Users, groups and roles. The definition is JSON, so that an operator's file and a row say the
-- same words.
CREATE TABLE iam_identity (
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  definition TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, kind, name)
);

-- Sessions of a role, or one access key id, issued before an instant.
CREATE TABLE session_revocation (
  subject TEXT NOT NULL PRIMARY KEY,
  issued_before BIGINT NOT NULL
);
