// Asymmetric and HMAC keys through the SDK for Go, held against Go's standard library.
package wire

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

var message = []byte("attack at dawn")

func newKeyOf(t *testing.T, c *kms.Client, spec types.KeySpec, usage types.KeyUsageType) *string {
	t.Helper()
	made, err := c.CreateKey(context.Background(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	if err != nil {
		t.Fatal(err)
	}
	return made.KeyMetadata.KeyId
}

func publicKey(t *testing.T, c *kms.Client, key *string) any {
	t.Helper()
	shown, err := c.GetPublicKey(context.Background(), &kms.GetPublicKeyInput{KeyId: key})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKIXPublicKey(shown.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := x509.MarshalPKIXPublicKey(parsed); err != nil || !bytes.Equal(again, shown.PublicKey) {
		t.Errorf("%s: the standard library encodes it differently", shown.KeySpec)
	}
	return parsed
}

func TestTheStandardLibraryVerifiesWhatIsSigned(t *testing.T) {
	ctx := context.Background()
	c := client(t)
	sum256, sum384, sum512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	for _, one := range []struct {
		spec      types.KeySpec
		algorithm types.SigningAlgorithmSpec
		verify    func(key any, signature []byte) bool
	}{
		{types.KeySpecRsa2048, types.SigningAlgorithmSpecRsassaPssSha256, func(key any, signature []byte) bool {
			return rsa.VerifyPSS(key.(*rsa.PublicKey), crypto.SHA256, sum256[:], signature,
				&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}},
		{types.KeySpecRsa2048, types.SigningAlgorithmSpecRsassaPkcs1V15Sha512, func(key any, signature []byte) bool {
			return rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), crypto.SHA512, sum512[:], signature) == nil
		}},
		{types.KeySpecEccNistP256, types.SigningAlgorithmSpecEcdsaSha256, func(key any, signature []byte) bool {
			return key.(*ecdsa.PublicKey).Curve == elliptic.P256() &&
				ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum256[:], signature)
		}},
		{types.KeySpecEccNistP384, types.SigningAlgorithmSpecEcdsaSha384, func(key any, signature []byte) bool {
			return ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum384[:], signature)
		}},
		{types.KeySpecEccNistP521, types.SigningAlgorithmSpecEcdsaSha512, func(key any, signature []byte) bool {
			return ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum512[:], signature)
		}},
		{"ECC_NIST_EDWARDS25519", "ED25519_SHA_512", func(key any, signature []byte) bool {
			return ed25519.Verify(key.(ed25519.PublicKey), message, signature)
		}},
	} {
		key := newKeyOf(t, c, one.spec, types.KeyUsageTypeSignVerify)
		signed, err := c.Sign(ctx, &kms.SignInput{KeyId: key, Message: message, SigningAlgorithm: one.algorithm})
		if err != nil {
			t.Fatal(one.algorithm, err)
		}
		if !one.verify(publicKey(t, c, key), signed.Signature) {
			t.Errorf("%s: the standard library does not verify it", one.algorithm)
		}
		verified, err := c.Verify(ctx, &kms.VerifyInput{KeyId: key, Message: message,
			SigningAlgorithm: one.algorithm, Signature: signed.Signature})
		if err != nil || !verified.SignatureValid {
			t.Errorf("%s: %v", one.algorithm, err)
		}
		var invalid *types.KMSInvalidSignatureException
		if _, err := c.Verify(ctx, &kms.VerifyInput{KeyId: key, Message: []byte("another"),
			SigningAlgorithm: one.algorithm, Signature: signed.Signature}); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", one.algorithm, err)
		}
	}
}

func TestAMacVerifiesAndAWrongOneDoesNot(t *testing.T) {
	ctx := context.Background()
	c := client(t)
	key := newKeyOf(t, c, types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
	made, err := c.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: key, Message: message,
		MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	if err != nil || len(made.Mac) != 32 {
		t.Fatal(err)
	}
	input := &kms.VerifyMacInput{KeyId: key, Message: message, Mac: made.Mac,
		MacAlgorithm: types.MacAlgorithmSpecHmacSha256}
	if verified, err := c.VerifyMac(ctx, input); err != nil || !verified.MacValid {
		t.Fatal(err)
	}
	input.Mac[0] ^= 1
	var invalid *types.KMSInvalidMacException
	if _, err := c.VerifyMac(ctx, input); !errors.As(err, &invalid) {
		t.Fatal(err)
	}
}

func TestTheStandardLibraryAgreesOnTheSecret(t *testing.T) {
	c := client(t)
	for spec, curve := range map[types.KeySpec]ecdh.Curve{types.KeySpecEccNistP256: ecdh.P256(),
		types.KeySpecEccNistP384: ecdh.P384(), types.KeySpecEccNistP521: ecdh.P521()} {
		key := newKeyOf(t, c, spec, types.KeyUsageTypeKeyAgreement)
		peer, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(peer.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.DeriveSharedSecret(context.Background(), &kms.DeriveSharedSecretInput{
			KeyId: key, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: der})
		if err != nil {
			t.Fatal(spec, err)
		}
		theirs, err := publicKey(t, c, key).(*ecdsa.PublicKey).ECDH()
		if err != nil {
			t.Fatal(err)
		}
		secret, err := peer.ECDH(theirs)
		if err != nil || !bytes.Equal(secret, answer.SharedSecret) {
			t.Error(spec, "the secrets differ", err)
		}
	}
}

func TestWhatTheStandardLibrarySignsIsNoSignatureOfAnotherKey(t *testing.T) {
	c := client(t)
	key := newKeyOf(t, c, types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, stranger, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var invalid *types.KMSInvalidSignatureException
	if _, err := c.Verify(context.Background(), &kms.VerifyInput{KeyId: key, Message: message,
		SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256, Signature: signature}); !errors.As(err, &invalid) {
		t.Fatal(err)
	}
}

func TestWhatTheStandardLibraryEncryptsIsDecrypted(t *testing.T) {
	c := client(t)
	key := newKeyOf(t, c, types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	public := publicKey(t, c, key).(*rsa.PublicKey)
	sealed1, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public, message, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed256, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, message, nil)
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, blob := range map[types.EncryptionAlgorithmSpec][]byte{
		types.EncryptionAlgorithmSpecRsaesOaepSha1:   sealed1,
		types.EncryptionAlgorithmSpecRsaesOaepSha256: sealed256} {
		opened, err := c.Decrypt(context.Background(), &kms.DecryptInput{
			KeyId: key, CiphertextBlob: blob, EncryptionAlgorithm: algorithm})
		if err != nil || !bytes.Equal(opened.Plaintext, message) {
			t.Error(algorithm, err)
		}
	}
}

func TestDataKeyPairsLoad(t *testing.T) {
	ctx := context.Background()
	c := client(t)
	parent := newKey(t, c)
	for _, spec := range []types.DataKeyPairSpec{types.DataKeyPairSpecRsa2048, types.DataKeyPairSpecRsa3072,
		types.DataKeyPairSpecEccNistP256, types.DataKeyPairSpecEccNistP384,
		types.DataKeyPairSpecEccNistP521, "ECC_NIST_EDWARDS25519"} {
		made, err := c.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{
			KeyId: parent.KeyId, KeyPairSpec: spec})
		if err != nil {
			t.Fatal(spec, err)
		}
		private, err := x509.ParsePKCS8PrivateKey(made.PrivateKeyPlaintext)
		if err != nil {
			t.Fatal(spec, err)
		}
		der, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
		if err != nil || !bytes.Equal(der, made.PublicKey) {
			t.Error(spec, "the halves are not of one key")
		}
		quiet, err := c.GenerateDataKeyPairWithoutPlaintext(ctx, &kms.GenerateDataKeyPairWithoutPlaintextInput{
			KeyId: parent.KeyId, KeyPairSpec: spec})
		if err != nil {
			t.Fatal(spec, err)
		}
		opened, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: quiet.PrivateKeyCiphertextBlob})
		if err != nil {
			t.Fatal(spec, err)
		}
		hidden, err := x509.ParsePKCS8PrivateKey(opened.Plaintext)
		if err != nil {
			t.Fatal(spec, err)
		}
		if der, err := x509.MarshalPKIXPublicKey(hidden.(crypto.Signer).Public()); err != nil || !bytes.Equal(der, quiet.PublicKey) {
			t.Error(spec, "the halves without plaintext are not of one key")
		}
		again, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil || !bytes.Equal(again, made.PrivateKeyPlaintext) {
			t.Error(spec, "the standard library encodes it differently")
		}
	}
}

func TestACiphertextMovesToAKeyOfAnotherKindAndBack(t *testing.T) {
	ctx := context.Background()
	c := client(t)
	symmetric := newKey(t, c)
	asymmetric := newKeyOf(t, c, types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	algorithm := types.EncryptionAlgorithmSpecRsaesOaepSha256
	sealed, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: asymmetric, Plaintext: message, EncryptionAlgorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	there, err := c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: sealed.CiphertextBlob, SourceKeyId: asymmetric,
		SourceEncryptionAlgorithm: algorithm, DestinationKeyId: symmetric.KeyId})
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: there.CiphertextBlob,
		DestinationKeyId: asymmetric, DestinationEncryptionAlgorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := c.Decrypt(ctx, &kms.DecryptInput{KeyId: asymmetric, CiphertextBlob: back.CiphertextBlob,
		EncryptionAlgorithm: algorithm})
	if err != nil || !bytes.Equal(opened.Plaintext, message) {
		t.Fatal(err)
	}
}

func TestImportedKeyMaterialComesGoesAndComesBack(t *testing.T) {
	ctx := context.Background()
	c := client(t)
	made, err := c.CreateKey(ctx, &kms.CreateKeyInput{Origin: types.OriginTypeExternal})
	if err != nil {
		t.Fatal(err)
	}
	key := made.KeyMetadata.KeyId
	parameters, err := c.GetParametersForImport(ctx, &kms.GetParametersForImportInput{KeyId: key,
		WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa4096})
	if err != nil {
		t.Fatal(err)
	}
	wrapping, err := x509.ParsePKIXPublicKey(parameters.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	importMaterial := func(material []byte) error {
		wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, wrapping.(*rsa.PublicKey), material, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.ImportKeyMaterial(ctx, &kms.ImportKeyMaterialInput{KeyId: key, ImportToken: parameters.ImportToken,
			EncryptedKeyMaterial: wrapped, ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire})
		return err
	}
	material := bytes.Repeat([]byte{7}, 32)
	if err := importMaterial(material); err != nil {
		t.Fatal(err)
	}
	sealed, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: key, Plaintext: message})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteImportedKeyMaterial(ctx, &kms.DeleteImportedKeyMaterialInput{KeyId: key}); err != nil {
		t.Fatal(err)
	}
	var state *types.KMSInvalidStateException
	if _, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}); !errors.As(err, &state) {
		t.Fatal(err)
	}
	var incorrect *types.IncorrectKeyMaterialException
	if err := importMaterial(bytes.Repeat([]byte{8}, 32)); !errors.As(err, &incorrect) {
		t.Fatal(err)
	}
	if err := importMaterial(material); err != nil {
		t.Fatal(err)
	}
	opened, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	if err != nil || !bytes.Equal(opened.Plaintext, message) {
		t.Fatal(err)
	}
}
