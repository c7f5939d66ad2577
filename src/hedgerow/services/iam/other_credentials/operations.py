"""Questions about passwords, MFA devices, SSH keys, SAML providers and the like: nobody has any.

Tools ask them before they delete a user (Terraform's `force_destroy`) or when they look over an account, and truly
there is nothing. What would make such a thing is refused by name.
"""

from hedgerow.core.caller import Caller, Kind
from hedgerow.core.request import Request
from hedgerow.services.iam.entities import Entities
from hedgerow.services.iam.other_credentials.errors import NameNeeded, NoLoginProfile, NoPasswordPolicy, UserNotFound
from hedgerow.services.iam.pages import Pages
from hedgerow.store import Answer, Tx


class OtherCredentialOperations:
    """Empty lists, and NoSuchEntity."""

    def __init__(self, *, users: Entities, pages: Pages) -> None:
        self._users = users
        self._pages = pages

    def get_login_profile(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        raise NoLoginProfile(self._user(tx, request, caller))

    def delete_login_profile(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        raise NoLoginProfile(self._user(tx, request, caller))

    def list_mfa_devices(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._none(tx, request, caller, "ListMFADevices", "MFADevices")

    def list_virtual_mfa_devices(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        request.get("AssignmentStatus")  # whichever: there is none
        return Answer(self._empty(request, caller, "ListVirtualMFADevices", "VirtualMFADevices"))

    def list_ssh_public_keys(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._none(tx, request, caller, "ListSSHPublicKeys", "SSHPublicKeys")

    def list_signing_certificates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._none(tx, request, caller, "ListSigningCertificates", "Certificates")

    def list_service_specific_credentials(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        request.get("ServiceName")
        operation, name = "ListServiceSpecificCredentials", "ServiceSpecificCredentials"
        if request.get("AllUsers"):
            return Answer(self._empty(request, caller, operation, name))
        return self._none(tx, request, caller, operation, name)

    def list_instance_profiles(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        request.get("PathPrefix")
        return Answer(self._empty(request, caller, "ListInstanceProfiles", "InstanceProfiles"))

    def list_server_certificates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        request.get("PathPrefix")
        return Answer(self._empty(request, caller, "ListServerCertificates", "ServerCertificateMetadataList"))

    def list_saml_providers(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"SAMLProviderList": []})

    def get_account_password_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        raise NoPasswordPolicy(caller.account)

    def _none(self, tx: Tx, request: Request, caller: Caller, operation: str, name: str) -> Answer:
        if request.get("UserName") or caller.kind is not Kind.ROOT:
            self._user(tx, request, caller)
        return Answer(self._empty(request, caller, operation, name))

    def _empty(self, request: Request, caller: Caller, operation: str, name: str) -> dict[str, object]:
        return self._pages.answer(request, caller, operation, name=name, items=(), key=str, show=str)

    def _user(self, tx: Tx, request: Request, caller: Caller) -> str:
        name: str | None = request.get("UserName")
        if name is None:
            if caller.kind is not Kind.USER:
                raise NameNeeded
            return caller.principal.rpartition("/")[2]
        if not self._users.exists(tx, caller.account, name):
            raise UserNotFound(name)
        return name
