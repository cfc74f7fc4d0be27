"""Records what boto3 and the AWS CLI send to KMS, for the tests that replay it.

Nothing is sent: each request is kept as it would have gone out, signed with made-up credentials at a fixed time.
`material.json` is the first argument: `ciphertext` (of `plaintext`, under the recorded key and the context tenant=a),
`document` (with an enclave's public key) and `enclaveKey` (the private half). The recordings go to standard output; each
`${document}` in a body stands for the document.

    pip install boto3 awscli
    python record.py material.json > requests.json
"""

import base64
import datetime
import io
import json
import re
import sys
import tempfile
from contextlib import redirect_stdout

import awscli
import awscli.clidriver
import boto3
import botocore
import botocore.auth
import botocore.awsrequest
import botocore.session

RECORDED_AT = datetime.datetime(2026, 1, 15, 12, 0, 0)
CREDENTIALS = {
    "aws_access_key_id": "ASIAEMULATEDRECORD01",
    "aws_secret_access_key": "made up for these recordings",
    "aws_session_token": "a session token made up for these recordings",
}
KEY = "11111111-2222-3333-4444-555555555555"


class FixedDatetime(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return RECORDED_AT

    @classmethod
    def now(cls, tz=None):
        return RECORDED_AT.replace(tzinfo=tz)


botocore.auth.datetime.datetime = FixedDatetime
if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: RECORDED_AT

recordings = []


def text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def without_machine(value):
    """The user agent is not signed, and the release of a kernel is nobody's business."""
    return re.sub(r"(os/\w+|md/arch|lang/python)#\S+", r"\1", value)


def record(producer):
    def keep(request, **_):
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        headers = [["Host", "kms.us-east-1.amazonaws.com"]] + [[text(n), without_machine(text(v))] for n, v in request.headers.items()]
        recordings.append({"producer": producer, "headers": headers, "body": body.decode("utf-8")})
        raw = io.BytesIO(b"{}")
        raw.stream = lambda *_: iter([b"{}"])
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, raw)

    return keep


def with_boto3(blob, recipient):
    session = botocore.session.get_session()
    client = boto3.Session(botocore_session=session, region_name="us-east-1", **CREDENTIALS).client("kms")
    client.meta.events.register("before-send.kms", record(f"boto3 {boto3.__version__}"))
    context = {"tenant": "a", "Zweck": "Bestellungen äöü €"}
    client.create_key(Description="made by boto3", Tags=[{"TagKey": "stage", "TagValue": "test"}])
    client.describe_key(KeyId="alias/recorded")
    client.list_keys(Limit=10)
    client.create_alias(AliasName="alias/boto3", TargetKeyId=KEY)
    client.update_alias(AliasName="alias/boto3", TargetKeyId=KEY)
    client.list_aliases(KeyId=KEY)
    client.delete_alias(AliasName="alias/boto3")
    client.get_key_policy(KeyId=KEY, PolicyName="default")
    client.encrypt(KeyId="alias/recorded", Plaintext=b"from boto3", EncryptionContext=context)
    client.decrypt(CiphertextBlob=blob, EncryptionContext={"tenant": "a"})
    client.decrypt(CiphertextBlob=blob, EncryptionContext={"tenant": "a"}, KeyId=KEY, Recipient=recipient)
    client.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"tenant": "a"},
        DestinationKeyId="alias/recorded",
        DestinationEncryptionContext=context,
    )
    client.generate_data_key(KeyId=KEY, KeySpec="AES_256", EncryptionContext=context, GrantTokens=["a token"])
    client.generate_data_key(KeyId=KEY, NumberOfBytes=64, Recipient=recipient)
    client.generate_data_key_without_plaintext(KeyId=KEY, KeySpec="AES_128")
    client.generate_data_key_pair(KeyId=KEY, KeyPairSpec="ECC_NIST_P256", Recipient=recipient)
    client.generate_data_key_pair_without_plaintext(KeyId=KEY, KeyPairSpec="ECC_NIST_P384")
    client.generate_random(NumberOfBytes=32, Recipient=recipient)
    client.disable_key(KeyId=KEY)
    client.enable_key(KeyId=KEY)
    client.sign(KeyId=KEY, Message=b"message", SigningAlgorithm="ECDSA_SHA_256")


def with_cli(blob):
    driver = awscli.clidriver.create_clidriver()
    driver.session.set_credentials(*CREDENTIALS.values())
    driver.session.set_config_variable("region", "us-east-1")
    driver.session.register("before-send.kms", record(f"aws-cli {awscli.__version__}"))
    with tempfile.NamedTemporaryFile() as file:
        file.write(blob)
        file.flush()
        for command in (
            ["describe-key", "--key-id", "alias/recorded"],
            ["encrypt", "--key-id", "alias/recorded", "--plaintext", "from the command line"],
            ["decrypt", "--ciphertext-blob", f"fileb://{file.name}", "--encryption-context", "tenant=a"],
            ["generate-data-key", "--key-id", KEY, "--key-spec", "AES_256"],
            ["get-key-policy", "--key-id", KEY, "--policy-name", "default"],
        ):
            driver.main(["kms", *command])


def main():
    with open(sys.argv[1]) as file:
        material = json.load(file)
    blob = base64.b64decode(material["ciphertext"])
    recipient = {
        "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        "AttestationDocument": base64.b64decode(material["document"]),
    }
    with redirect_stdout(sys.stderr):
        with_boto3(blob, recipient)
        with_cli(blob)
    for one in recordings:
        one["body"] = one["body"].replace(material["document"], "${document}")
    json.dump({**material, "requests": recordings}, sys.stdout, indent=1, ensure_ascii=False)
    print()


main()
