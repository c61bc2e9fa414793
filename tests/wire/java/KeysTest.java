// Keyhold's encodings against Java's own cryptography (JCA), through the AWS SDK for Java,
// unmodified: it is given what its environment says (AWS_ENDPOINT_URL_KMS, AWS_REGION and an access
// key) and nothing else. Prints a line for each test, and counts.

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.PSSParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.List;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.KmsInvalidSignatureException;
import software.amazon.awssdk.services.kms.model.MessageType;

class KeysTest {
    static final byte[] MESSAGE = "attack at dawn".getBytes(StandardCharsets.UTF_8);
    static final KmsClient kms = KmsClient.create();

    interface Test {
        void run() throws Exception;
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static String newKey(String spec, String usage) {
        return kms.createKey(with -> with.keySpec(spec).keyUsage(usage)).keyMetadata().keyId();
    }

    /** The key as JCA takes it, which has to be the key in the encoding that JCA itself writes. */
    static PublicKey publicKey(String type, byte[] der) throws Exception {
        PublicKey key = KeyFactory.getInstance(type).generatePublic(new X509EncodedKeySpec(der));
        check(Arrays.equals(key.getEncoded(), der), type + ": JCA encodes it differently");
        return key;
    }

    static PublicKey publicKeyOf(String type, String key) throws Exception {
        return publicKey(type, kms.getPublicKey(with -> with.keyId(key)).publicKey().asByteArray());
    }

    static Signature pss(String hash, int salt) throws Exception {
        Signature signature = Signature.getInstance("RSASSA-PSS");
        signature.setParameter(
                new PSSParameterSpec("SHA-" + hash, "MGF1", new MGF1ParameterSpec("SHA-" + hash), salt, 1));
        return signature;
    }

    static boolean verifies(Signature by, PublicKey key, byte[] message, byte[] signature) throws Exception {
        by.initVerify(key);
        by.update(message);
        return by.verify(signature);
    }

    /** Of a message and of its digest, by JCA and by Verify. */
    static void signatureHolds(String key, PublicKey shown, String algorithm, String hash, Signature by)
            throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-" + hash).digest(MESSAGE);
        for (MessageType type : List.of(MessageType.RAW, MessageType.DIGEST)) {
            SdkBytes given = SdkBytes.fromByteArray(type == MessageType.RAW ? MESSAGE : digest);
            SdkBytes signature = kms.sign(with ->
                    with.keyId(key).signingAlgorithm(algorithm).messageType(type).message(given)).signature();
            check(verifies(by, shown, MESSAGE, signature.asByteArray()), algorithm + " of " + type);
            check(!verifies(by, shown, digest, signature.asByteArray()), algorithm + " of something else");
            check(kms.verify(with -> with.keyId(key).signingAlgorithm(algorithm).message(
                    SdkBytes.fromByteArray(MESSAGE)).signature(signature)).signatureValid(), algorithm);
        }
    }

    static void rsaSignatures() throws Exception {
        for (int bits : new int[] {2048, 3072, 4096}) {
            String key = newKey("RSA_" + bits, "SIGN_VERIFY");
            PublicKey shown = publicKeyOf("RSA", key);
            check(((RSAPublicKey) shown).getModulus().bitLength() == bits, "bits");
            check(((RSAPublicKey) shown).getPublicExponent().equals(BigInteger.valueOf(65537)), "exponent");
            for (String hash : List.of("256", "384", "512")) {
                signatureHolds(key, shown, "RSASSA_PSS_SHA_" + hash, hash, pss(hash, Integer.parseInt(hash) / 8));
                signatureHolds(key, shown, "RSASSA_PKCS1_V1_5_SHA_" + hash, hash,
                        Signature.getInstance("SHA" + hash + "withRSA"));
            }
        }
    }

    /** Lengths of DER integers vary, so several of each. secp256k1 is no longer in the JDK. */
    static void ecdsaSignatures() throws Exception {
        for (String[] one : new String[][] {
                {"ECC_NIST_P256", "256"}, {"ECC_NIST_P384", "384"}, {"ECC_NIST_P521", "512"}}) {
            String key = newKey(one[0], "SIGN_VERIFY");
            PublicKey shown = publicKeyOf("EC", key);
            int bits = ((ECPublicKey) shown).getParams().getCurve().getField().getFieldSize();
            check(one[0].endsWith(String.valueOf(bits)), "curve");
            for (int i = 0; i < 10; ++i) {
                signatureHolds(key, shown, "ECDSA_SHA_" + one[1], one[1],
                        Signature.getInstance("SHA" + one[1] + "withECDSA"));
            }
        }
    }

    static void edwardsSignatures() throws Exception {
        String key = newKey("ECC_NIST_EDWARDS25519", "SIGN_VERIFY");
        SdkBytes signature = kms.sign(with -> with.keyId(key).signingAlgorithm("ED25519_SHA_512")
                .message(SdkBytes.fromByteArray(MESSAGE))).signature();
        Signature by = Signature.getInstance("Ed25519");
        PublicKey shown = publicKeyOf("Ed25519", key);
        check(verifies(by, shown, MESSAGE, signature.asByteArray()), "Ed25519");
        check(!verifies(by, shown, new byte[] {1}, signature.asByteArray()), "Ed25519 of something else");
    }

    static void aSignatureByAnotherKeyIsNone() throws Exception {
        String key = newKey("ECC_NIST_P256", "SIGN_VERIFY");
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        Signature stranger = Signature.getInstance("SHA256withECDSA");
        stranger.initSign(generator.generateKeyPair().getPrivate());
        stranger.update(MESSAGE);
        SdkBytes signature = SdkBytes.fromByteArray(stranger.sign());
        try {
            kms.verify(with -> with.keyId(key).signingAlgorithm("ECDSA_SHA_256")
                    .message(SdkBytes.fromByteArray(MESSAGE)).signature(signature));
        } catch (KmsInvalidSignatureException expected) {
            return;
        }
        check(false, "a stranger's signature was taken");
    }

    static void agreement() throws Exception {
        for (String[] one : new String[][] {
                {"ECC_NIST_P256", "secp256r1"}, {"ECC_NIST_P384", "secp384r1"}, {"ECC_NIST_P521", "secp521r1"}}) {
            String key = newKey(one[0], "KEY_AGREEMENT");
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec(one[1]));
            KeyPair peer = generator.generateKeyPair();
            byte[] secret = kms.deriveSharedSecret(with -> with.keyId(key).keyAgreementAlgorithm("ECDH")
                    .publicKey(SdkBytes.fromByteArray(peer.getPublic().getEncoded()))).sharedSecret().asByteArray();
            KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
            agreement.init(peer.getPrivate());
            agreement.doPhase(publicKeyOf("EC", key), true);
            check(Arrays.equals(agreement.generateSecret(), secret), one[0]);
        }
    }

    static void encryption() throws Exception {
        for (int bits : new int[] {2048, 3072, 4096}) {
            String key = newKey("RSA_" + bits, "ENCRYPT_DECRYPT");
            PublicKey shown = publicKeyOf("RSA", key);
            for (String hash : List.of("1", "256")) {
                // Without it JCA's mask is of SHA-1 whatever the hash.
                OAEPParameterSpec parameters = new OAEPParameterSpec("SHA-" + hash, "MGF1",
                        new MGF1ParameterSpec("SHA-" + hash), PSource.PSpecified.DEFAULT);
                Cipher cipher = Cipher.getInstance("RSA/ECB/OAEPPadding");
                cipher.init(Cipher.ENCRYPT_MODE, shown, parameters);
                byte[] ciphertext = cipher.doFinal(MESSAGE);
                byte[] opened = kms.decrypt(with -> with.keyId(key).encryptionAlgorithm("RSAES_OAEP_SHA_" + hash)
                        .ciphertextBlob(SdkBytes.fromByteArray(ciphertext))).plaintext().asByteArray();
                check(Arrays.equals(opened, MESSAGE), bits + " bits, SHA-" + hash);
            }
        }
    }

    static void dataKeyPairs() throws Exception {
        String parent = kms.createKey().keyMetadata().keyId();
        for (String[] one : new String[][] {
                {"RSA_2048", "RSA", "SHA256withRSA"}, {"RSA_3072", "RSA", "SHA256withRSA"},
                {"ECC_NIST_P256", "EC", "SHA256withECDSA"}, {"ECC_NIST_P384", "EC", "SHA384withECDSA"},
                {"ECC_NIST_P521", "EC", "SHA512withECDSA"}, {"ECC_NIST_EDWARDS25519", "Ed25519", "Ed25519"}}) {
            var made = kms.generateDataKeyPair(with -> with.keyId(parent).keyPairSpec(one[0]));
            PrivateKey key = KeyFactory.getInstance(one[1]).generatePrivate(
                    new PKCS8EncodedKeySpec(made.privateKeyPlaintext().asByteArray()));
            Signature by = Signature.getInstance(one[2]);
            by.initSign(key);
            by.update(MESSAGE);
            PublicKey half = publicKey(one[1], made.publicKey().asByteArray());
            check(verifies(by, half, MESSAGE, by.sign()), one[0] + ": the halves are not of one key");
            check(kms.decrypt(with -> with.ciphertextBlob(made.privateKeyCiphertextBlob())).plaintext()
                    .equals(made.privateKeyPlaintext()), one[0] + ": the ciphertext holds another key");
        }
    }

    static int failed = 0;
    static int passed = 0;

    static void run(String name, Test test) {
        try {
            test.run();
            ++passed;
            System.out.println("ok " + name);
        } catch (Exception | AssertionError error) {
            ++failed;
            System.out.println("not ok " + name + ": " + error);
        }
    }

    public static void main(String[] arguments) {
        run("RSA signatures", KeysTest::rsaSignatures);
        run("ECDSA signatures", KeysTest::ecdsaSignatures);
        run("Ed25519 signatures", KeysTest::edwardsSignatures);
        run("a signature by another key is none", KeysTest::aSignatureByAnotherKeyIsNone);
        run("key agreement", KeysTest::agreement);
        run("encryption", KeysTest::encryption);
        run("data key pairs", KeysTest::dataKeyPairs);
        System.out.println("java: " + passed + " passed, " + failed + " failed, 0 skipped");
        System.exit(failed == 0 ? 0 : 1);
    }
}
