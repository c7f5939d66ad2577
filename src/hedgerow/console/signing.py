"""The signed address of MQTT over WebSocket. Spec: AWS IoT developer guide, MQTT over WSS; Signature Version 4."""

from urllib.parse import quote, urlsplit

from hedgerow.console.model import Credentials

SERVICE = "iotdevicegateway"
LASTS_S = 300


def signed_path(api_url: str, region: str, credentials: Credentials) -> str:
    """Answer path and query for the upgrade. The session token is added after signing, as AWS IoT wants it."""
    from botocore import credentials as keys
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest("GET", f"{api_url.rstrip('/')}/mqtt")
    signer = keys.Credentials(credentials.access_key_id, credentials.secret_access_key)
    SigV4QueryAuth(signer, SERVICE, region, expires=LASTS_S).add_auth(request)
    parts = urlsplit(str(request.url))
    return f"{parts.path}?{parts.query}&X-Amz-Security-Token={quote(credentials.session_token, safe='')}"
