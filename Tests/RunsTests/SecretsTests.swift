import TestSupport
import Testing

@testable import Runs

struct SecretsTests {
    @Test(arguments: [
        "password", "DB_PASSWORD", "dbPassword", "api_key", "API_KEY_PROD", "apiKey", "hf_token", "TOKEN", "--token",
        "aws_secret_access_key", "aws.access_key_id", "client_secret", "key", "private-key",
    ])
    func `a name that looks like a secret is taken for one`(name: String) {
        #expect(Secrets.isSecret(name: name))
    }

    @Test(arguments: [
        "lr", "max_tokens", "token_limit", "key_dim", "num_keys", "tokenizer", "monkey", "keyword", "model.depth",
        "hidden_size", "pad_token_id", "",
    ])
    func `names of parameters are no secrets`(name: String) {
        #expect(!Secrets.isSecret(name: name))
    }

    @Test func `a command line shows no secret`() {
        let masked = Secrets.masked(arguments: [
            "python", "train.py", "--lr", "0.1", "--api-key", "abc", "--password=hunter2", "TOKEN=x", "--key", "--lr2",
            "https://ann:s3cret@example.com/x", "--out=ghp_0123456789abcdefghijABCDEFGHIJ012345",
        ])
        #expect(
            masked == [
                "python", "train.py", "--lr", "0.1", "--api-key", "***", "--password=***", "TOKEN=***", "--key",
                "--lr2",
                "https://ann:***@example.com/x", "--out=***",
            ])
    }

    @Test(arguments: [
        "aws = 'AKIAIOSFODNN7EXAMPLE'", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "API_KEY = \"s3cr3t-abc-9\"", "password: hunter22", "url = 'postgres://u:pa55@db/x'",
        "t = 'github_pat_11ABCDEFG0abcdefghijkl_0123456789abcdefghijkl'", "\"client_secret\": \"Zm9vYmFyMTIz\",",
    ])
    func `a credential in a file is found on its line`(text: String) {
        #expect(Secrets.line(in: Array("import os\n\(text)\n".utf8)) == 2)
    }

    @Test(arguments: [
        "api_key = os.environ['API_KEY']", "token = tokenizer.decode(ids)", "password = getpass()",
        "key = \"<your key>\"",
        "pad_token: '[PAD]'", "sk-learn", "risk-0123456789abcdefghijklmnop", "secret = config.secret1", "lr: 0.1",
    ])
    func `code that only speaks of secrets is kept`(text: String) {
        #expect(Secrets.line(in: Array((text + "\n").utf8)) == nil)
    }

    @Test func `values of secret variables are masked wherever they stand`() {
        let bytes = Array("got swordfish and swordfish\n".utf8)
        let masked = Secrets.masked(bytes: bytes, values: [Array("swordfish".utf8)])
        #expect(String(decoding: masked, as: UTF8.self) == "got *** and ***\n")
    }
}
