-- SubjectPublicKeyInfo of a pair, in DER; empty for a material that is none.
ALTER TABLE key_material ADD COLUMN public_key TEXT NOT NULL DEFAULT '';
