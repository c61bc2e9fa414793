"""What several suites expect of AWS's words."""

from signing import blob

UNKNOWN_KEY = "11111111-2222-4333-8444-555555555555"
ACCOUNT = "000000000000"
LIMIT_TEXT = (
    "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
    "rotations can be performed for this key: "
)
LOST_KEY_TEXT = (
    "The ciphertext refers to a customer master key that does not exist, does not exist "
    "in this region, or you are not allowed to access."
)


def key_arn(key_id, region="us-east-1", account=ACCOUNT):
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


def current_material(kms, ciphertext):
    return kms.call("Decrypt", CiphertextBlob=blob(ciphertext))["KeyMaterialId"]
