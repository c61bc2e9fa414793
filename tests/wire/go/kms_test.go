// The service through the AWS SDK for Go, unmodified: it is given what its environment says
// (AWS_ENDPOINT_URL_KMS, AWS_REGION and an access key) and nothing else.
package wire

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func client(t *testing.T) *kms.Client {
	t.Helper()
	loaded, err := config.LoadDefaultConfig(context.Background(), config.WithRetryMaxAttempts(1))
	if err != nil {
		t.Fatal(err)
	}
	return kms.NewFromConfig(loaded)
}

func newKey(t *testing.T, c *kms.Client) *types.KeyMetadata {
	t.Helper()
	made, err := c.CreateKey(context.Background(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return made.KeyMetadata
}

func rotate(c *kms.Client, key *string) (*kms.RotateKeyOnDemandOutput, error) {
	return c.RotateKeyOnDemand(context.Background(), &kms.RotateKeyOnDemandInput{KeyId: key})
}

func TestTenRotationsLeaveElevenCiphertextsThatDecryptAndAnEleventhIsRefused(t *testing.T) {
	ctx := context.Background()
	c := client(t)
	key := newKey(t, c)
	var ciphertexts [][]byte
	for number := 0; number <= 10; number++ {
		if number > 0 {
			answer, err := rotate(c, key.KeyId)
			if err != nil || *answer.KeyId != *key.Arn {
				t.Fatalf("rotation %d: %v, %v", number, answer, err)
			}
		}
		encrypted, err := c.Encrypt(ctx, &kms.EncryptInput{
			KeyId: key.KeyId, Plaintext: []byte(fmt.Sprint("message ", number)),
			EncryptionContext: map[string]string{"number": fmt.Sprint(number)}})
		if err != nil {
			t.Fatal(err)
		}
		ciphertexts = append(ciphertexts, encrypted.CiphertextBlob)
	}
	for number, ciphertext := range ciphertexts {
		answer, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: ciphertext,
			EncryptionContext: map[string]string{"number": fmt.Sprint(number)}})
		if err != nil || string(answer.Plaintext) != fmt.Sprint("message ", number) {
			t.Fatalf("ciphertext %d: %v", number, err)
		}
	}
	var limit *types.LimitExceededException
	if _, err := rotate(c, key.KeyId); !errors.As(err, &limit) {
		t.Fatalf("the eleventh rotation: %v", err)
	}
	rows := 0
	pages := kms.NewListKeyRotationsPaginator(c, &kms.ListKeyRotationsInput{
		KeyId: key.KeyId, Limit: aws.Int32(4)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		rows += len(page.Rotations)
	}
	if rows != 10 {
		t.Fatalf("%d rotations are listed", rows)
	}
}

func TestEachErrorIsOfItsType(t *testing.T) {
	ctx := context.Background()
	c := client(t)
	var notFound *types.NotFoundException
	if _, err := rotate(c, aws.String("11111111-2222-4333-8444-555555555555")); !errors.As(err, &notFound) {
		t.Fatal(err)
	}
	key := newKey(t, c)
	if _, err := c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: key.KeyId}); err != nil {
		t.Fatal(err)
	}
	var disabled *types.DisabledException
	if _, err := rotate(c, key.KeyId); !errors.As(err, &disabled) {
		t.Fatal(err)
	}
	if _, err := c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: key.KeyId}); err != nil {
		t.Fatal(err)
	}
	var state *types.KMSInvalidStateException
	if _, err := rotate(c, key.KeyId); !errors.As(err, &state) {
		t.Fatal(err)
	}
}
