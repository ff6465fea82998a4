"""Signs requests with the vendors' own libraries: reads a JSON list of them, prints a JSON list of `Authorization` headers.

aws: method, url, headers (with X-Amz-Date), access, secret, token, region. azure: method, url, headers, account, key.
jwt: token, certificate; answers with the claims that google-auth finds in it.
"""
import json, sys, types

answers = []
for request in json.load(sys.stdin):
    if request["kind"] == "aws":
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        auth = S3SigV4Auth(Credentials(request["access"], request["secret"], request.get("token")), "s3", request["region"])
        sent = AWSRequest(method=request["method"], url=request["url"], headers=request["headers"])
        sent.context["timestamp"] = request["headers"]["x-amz-date"]
        text = auth.string_to_sign(sent, auth.canonical_request(sent))
        auth._inject_signature_to_request(sent, auth.signature(text, sent))
        answers.append(sent.headers["Authorization"])
    elif request["kind"] == "azure":
        from urllib.parse import urlsplit

        from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

        query = dict(pair.partition("=")[::2] for pair in urlsplit(request["url"]).query.split("&") if pair)
        sent = types.SimpleNamespace(method=request["method"], url=request["url"], headers=dict(request["headers"]), query=query)
        SharedKeyCredentialPolicy(request["account"], request["key"]).on_request(
            types.SimpleNamespace(http_request=sent, context=types.SimpleNamespace(transport=None)))
        answers.append(sent.headers["Authorization"])
    else:
        from google.auth import jwt

        answers.append(jwt.decode(request["token"], certs=request["certificate"], verify=True))
json.dump(answers, sys.stdout)
