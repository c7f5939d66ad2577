"""The edge's configuration, in the form of the Greengrass nucleus' `config.yaml`.

`system`, and under `services` the configurations of `aws.greengrass.Nucleus`,
`aws.greengrass.FleetProvisioningByClaim`, `aws.greengrass.crypto.Pkcs11Provider`, and our own
`hedgerow.VendingMachine` and `hedgerow.Jobs`. One way to an identity at most: a ready-made certificate, by claim, or by
the vending machine.
Unknown keys are warned of; what is missing or wrong is said all at once (Unusable). Endpoints may carry `:port`.
Leaves to others: the identity that enrolment gives (`state.py`), what is done with the values.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import Unusable
from hedgerow.edge.endpoint import Endpoint as Endpoint
from hedgerow.edge.endpoint import endpoint as endpoint
from hedgerow.edge.endpoint import endpoint_at
from hedgerow.edge.kept_apart import clashes
from hedgerow.edge.pkcs11 import settings as pkcs11
from hedgerow.edge.pkcs11.settings import PROVIDER, TokenSettings
from hedgerow.edge.pkcs11.uri import CERTIFICATE, KeyPlace, Pkcs11Uri
from hedgerow.edge.places import file_at, path_below, place_at
from hedgerow.edge.section import Report, Section
from hedgerow.edge.vending_settings import VENDING, Vending, vending_of

NUCLEUS: Final = "aws.greengrass.Nucleus"
CLAIM_PLUGIN: Final = "aws.greengrass.FleetProvisioningByClaim"
JOBS: Final = "hedgerow.Jobs"
_READY_MADE: Final = "system.certificateFilePath"
_FILES: Final = ("certificateFilePath", "privateKeyPath")
_CLAIM_FILES: Final = ("claimCertificatePath", "claimCertificatePrivateKeyPath")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """How to speak MQTT with the cloud."""

    version: int = 5  # 4 is MQTT 3.1.1
    keep_alive_s: int = 60
    ping_timeout_s: float = 30.0
    operation_timeout_s: float = 30.0
    max_in_flight: int = 5
    max_message_bytes: int = 131_072
    spool_bytes: int = 2_621_440
    keep_qos0_when_offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """How to enrol: the claim certificate, the template and what it is told."""

    endpoint: Endpoint
    template: str
    certificate: Path
    private_key: KeyPlace
    parameters: dict[str, str]
    device_id: str = ""
    csr: Path | None = None
    csr_private_key: KeyPlace | None = None
    new_certificate: Path
    new_private_key: KeyPlace
    keep: bool = False  # the claim's files, although they are not used any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Where the log files go and how large they may get."""

    level: str = "INFO"
    file_bytes: int = 1024 * 1024
    total_bytes: int = 10 * 1024 * 1024
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """Whether jobs are run, where their handlers are, and what restarts the machine ("" for what it has)."""

    enabled: bool = True
    handlers: Path | None = None
    reboot_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A key and a certificate that were made elsewhere: nothing to ask for. Without a name the certificate says it."""

    thing_name: str
    certificate: KeyPlace
    private_key: KeyPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that the file says."""

    root: Path
    root_ca: Path
    region: str
    role_alias: str
    mqtt_endpoint: Endpoint
    data_plane: Endpoint
    credentials: Endpoint | None
    mqtt: Mqtt = field(default_factory=Mqtt)
    logging: Logging = field(default_factory=Logging)
    jobs: JobSettings = field(default_factory=JobSettings)
    claim: Claim | None = None
    given: Given | None = None
    vending: Vending | None = None
    token: TokenSettings | None = None
    default_user: str = ""
    shell: str = "sh"
    status_interval_s: int = 86_400
    store_bytes: int = 10_000_000_000
    s3_endpoint_type: str = "GLOBAL"
    interpolate_configuration: bool = False
    platform_override: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    ipc_socket: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def file_mode(self) -> int:
        """The mode of a file with all of this: a PIN, and what a device proves itself by, is for nobody else."""
        said = self.vending is not None and self.vending.token.text
        return 0o600 if said or self.token is not None else 0o644

    @property
    def key_places(self) -> list[KeyPlace]:
        """Where the private keys stand, and the certificates that may be in a token."""
        given, claim, vending = self.given, self.claim, self.vending
        found: list[KeyPlace | None] = [] if given is None else [given.private_key, given.certificate]
        found += [] if claim is None else [claim.private_key, claim.csr_private_key, claim.new_private_key]
        found += [] if vending is None else [vending.new_private_key]
        return [place for place in found if place is not None]


def read(text: str, *, root: Path, name: str = "config.yaml") -> Configuration:
    """Make the configuration of the file's text; raise Unusable, in one line, with everything that is wrong."""
    report = Report()
    top = Section(read_yaml(text, name), "", report)
    configuration = _configuration(top, root, report)
    top.warn_of_unread()
    if report.missing or report.wrong:
        faults = [f"missing: {', '.join(sorted(set(report.missing)))}"] if report.missing else []
        unknown = [f"unknown: {', '.join(report.unknown)}"] if report.unknown else []
        raise Unusable(f"{name} cannot be used: {'; '.join(faults + report.wrong + unknown)}")
    return replace(configuration, warnings=(*report.warnings, *(f"unknown key {key}" for key in report.unknown)))


def read_yaml(text: str, name: str) -> Any:
    """Answer the file's value; raise Unusable with the place when it is not YAML."""
    import yaml  # imported late: the edge must start fast

    from hedgerow.edge import plain_yaml

    try:
        return plain_yaml.load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Unusable(f"{name} is not YAML: {where}{error.problem}") from error
    except yaml.YAMLError as error:
        raise Unusable(f"{name} is not YAML: {error}") from error


def _configuration(top: Section, root: Path, report: Report) -> Configuration:
    system = top.section("system")
    services = top.section("services")
    services.without_effect("main")
    nucleus_service = services.section(NUCLEUS)
    nucleus_service.text("version")
    nucleus_service.text("componentType")
    nucleus_service.text("dependencies")
    nucleus = nucleus_service.section("configuration")
    plugin_service = services.section(CLAIM_PLUGIN)
    plugin_service.text("version")
    plugin_service.text("componentType")
    plugin = plugin_service.section("configuration")
    stated_root = _either(plugin.text("rootPath"), system.text("rootpath"))
    if stated_root and Path(stated_root).resolve() != root.resolve():
        report.warnings.append(f"rootPath {stated_root} gives way to the folder on the command line, {root}")
    vending = services.section(VENDING).section("configuration")
    way = _way(system, plugin, vending, report)
    root_ca = _either(system.text("rootCaPath"), plugin.text("rootCaPath"))
    if not root_ca:
        report.missing.append(f"services.{CLAIM_PLUGIN}.configuration.rootCaPath (or system.rootCaPath)")
    region = _either(nucleus.text("awsRegion"), plugin.text("awsRegion"))
    if not region:
        report.missing.append(f"services.{NUCLEUS}.configuration.awsRegion")
    ipc_socket = system.text("ipcSocketPath")
    values: dict[str, Any] = _endpoints(nucleus, plugin, region, report)
    made = Configuration(
        root=root,
        root_ca=file_at(root, root_ca, report),
        region=region,
        role_alias=_either(nucleus.text("iotRoleAlias"), plugin.text("iotRoleAlias")),
        given=_given(system, root, report) if way == _READY_MADE else None,
        claim=_claim(plugin, root, values["mqtt_endpoint"], report) if way == CLAIM_PLUGIN else None,
        vending=vending_of(vending, root, values["data_plane"], report) if way == VENDING else None,
        ipc_socket=path_below(root, ipc_socket) if ipc_socket else None,
        environment={key: str(value) for key, value in top.mapping("setenv").items()},
        jobs=_jobs(services.section(JOBS).section("configuration"), root),
        **values,
        **_nucleus(nucleus, root),
    )
    if not report.missing and not report.wrong:
        report.wrong.extend(clashes(made))
    return replace(made, token=_token(services.section(PROVIDER), made, report))


def _token(provider: Section, made: Configuration, report: Report) -> TokenSettings | None:
    provider.text("version")
    provider.text("componentType")
    wanted = any(isinstance(place, Pkcs11Uri) for place in made.key_places)
    return pkcs11.read(provider.section("configuration"), report, wanted=wanted)


def _way(system: Section, plugin: Section, vending: Section, report: Report) -> str:
    """Answer how the device comes to its identity; two ways at once are a fault, none is a claim that lacks all."""
    claimed = [plugin.text(name) for name in ("provisioningTemplate", *_CLAIM_FILES)]
    there = {
        _READY_MADE: any(system.text(name) for name in _FILES),
        CLAIM_PLUGIN: any(claimed),
        VENDING: bool(vending),
    }
    ways = [way for way, is_there in there.items() if is_there]
    if len(ways) > 1:
        report.wrong.append(f"{' and '.join(ways)} are {len(ways)} ways to an identity at once; keep one of them")
    elif not ways:
        report.wrong.append(f"there is no way to an identity: none of {', '.join(there)}")
    if not there[_READY_MADE] and system.text("thingName"):  # half an identity
        report.missing.extend(f"system.{name}" for name in _FILES)
    way = ways[0] if ways else CLAIM_PLUGIN
    if way != CLAIM_PLUGIN:
        plugin.without_effect("templateParameters", "deviceId", "csrPath", "csrPrivateKeyPath")
    return way


def _given(system: Section, root: Path, report: Report) -> Given:
    """The thing name may be absent: it is the certificate's common name then."""
    values = {name: system.text(name) for name in _FILES}
    report.missing.extend(f"system.{name}" for name, value in values.items() if not value)
    return Given(
        thing_name=system.text("thingName"),
        certificate=place_at(root, values["certificateFilePath"], report, type=CERTIFICATE),
        private_key=place_at(root, values["privateKeyPath"], report),
    )


def _endpoints(nucleus: Section, plugin: Section, region: str, report: Report) -> dict[str, Any]:
    plugin_port = plugin.number("mqttPort", 8883, least=1, most=65535)
    mqtt_port = nucleus.section("mqtt").number("port", plugin_port, least=1, most=65535)
    data = _either(nucleus.text("iotDataEndpoint"), plugin.text("iotDataEndpoint"))
    if not data:
        report.missing.append(f"services.{NUCLEUS}.configuration.iotDataEndpoint")
        data = "missing"
    mqtt = endpoint_at(data, mqtt_port, "iotDataEndpoint", report)
    stated = nucleus.text("greengrassDataPlaneEndpoint")
    if stated == "iotdata" or (not stated and ".amazonaws." not in mqtt.host):
        stated = str(Endpoint(mqtt.host, 1)).rpartition(":")[0]
    elif not stated:
        stated = f"greengrass-ats.iot.{region}.amazonaws.com"
    data_plane = endpoint_at(
        stated,
        nucleus.number("greengrassDataPlanePort", 8443, least=1, most=65535),
        "greengrassDataPlaneEndpoint",
        report,
    )
    credentials = _either(nucleus.text("iotCredEndpoint"), plugin.text("iotCredentialEndpoint"))
    default = 443 if ".amazonaws." in credentials else data_plane.port
    return {
        "mqtt_endpoint": mqtt,
        "data_plane": data_plane,
        "credentials": endpoint_at(credentials, default, "iotCredEndpoint", report) if credentials else None,
    }


def _claim(plugin: Section, root: Path, data: Endpoint, report: Report) -> Claim:
    csr, csr_key = plugin.text("csrPath"), plugin.text("csrPrivateKeyPath")
    if bool(csr) != bool(csr_key):
        report.wrong.append(f"services.{CLAIM_PLUGIN}.configuration needs csrPath and csrPrivateKeyPath, or neither")
    plugin.refuse("proxyUrl", "the edge cannot connect through a proxy yet")
    plugin.without_effect("proxyUserName", "proxyPassword")
    mqtt_port = plugin.number("mqttPort", data.port, least=1, most=65535)
    if csr_key:
        plugin.without_effect("privateKeyPath")
    parameters, device_id = plugin.texts("templateParameters"), plugin.text("deviceId")
    if device_id and device_id in parameters.values():
        report.warnings.append("deviceId is a template parameter, too; a claim may not use a thing's name")
    return Claim(
        endpoint=endpoint_at(plugin.text("iotDataEndpoint", data.host), mqtt_port, "iotDataEndpoint", report),
        template=plugin.required("provisioningTemplate"),
        certificate=file_at(root, plugin.required("claimCertificatePath"), report),
        private_key=place_at(root, plugin.required("claimCertificatePrivateKeyPath"), report),
        parameters=parameters,
        device_id=device_id,
        csr=file_at(root, csr, report) if csr else None,
        csr_private_key=place_at(root, csr_key, report) if csr_key else None,
        new_certificate=file_at(root, plugin.text("certificatePath", "thingCert.crt"), report),
        new_private_key=place_at(root, plugin.text("privateKeyPath", "privKey.key"), report),
        keep=plugin.flag("keepClaim"),
    )


def _nucleus(nucleus: Section, root: Path) -> dict[str, Any]:
    run_with = nucleus.section("runWithDefault")
    run_with.without_effect("systemResourceLimits", "windowsUser")
    nucleus.refuse("fipsMode", "there is no FIPS mode")
    proxy = nucleus.section("networkProxy")
    proxy.section("proxy").refuse("url", "the edge cannot connect through a proxy yet")
    proxy.without_effect("noProxyAddresses")
    nucleus.section("telemetry").without_effect(
        "enabled", "periodicAggregateMetricsIntervalSeconds", "periodicPublishMetricsIntervalSeconds"
    )
    nucleus.without_effect(
        "jvmOptions", "httpClient", "deploymentPollingFrequencySeconds", "credentialEndpointTimeoutMs"
    )
    nucleus.without_effect("deploymentConfigurationTimeSource")
    status = nucleus.section("fleetStatus")
    return {
        "mqtt": _mqtt(nucleus.section("mqtt")),
        "logging": _logging(nucleus.section("logging"), root),
        "default_user": run_with.text("posixUser"),
        "shell": run_with.text("posixShell", "sh"),
        "status_interval_s": status.number("periodicStatusPublishIntervalSeconds", 86_400, least=1),
        "store_bytes": nucleus.number("componentStoreMaxSizeBytes", 10_000_000_000, least=1),
        "s3_endpoint_type": nucleus.choice("s3EndpointType", "GLOBAL", ("GLOBAL", "REGIONAL")),
        "interpolate_configuration": nucleus.flag("interpolateComponentConfiguration"),
        "platform_override": {key: str(value) for key, value in nucleus.mapping("platformOverride").items()},
    }


def _mqtt(mqtt: Section) -> Mqtt:
    mqtt.number("port", 8883)
    spooler = mqtt.section("spooler")
    spooler.choice("storageType", "Disk", ("Memory", "Disk"))  # always on disk, which keeps what Memory would lose
    return Mqtt(
        version=5 if mqtt.choice("version", "mqtt5", ("mqtt5", "mqtt3")) == "mqtt5" else 4,
        keep_alive_s=max(1, mqtt.number("keepAliveTimeoutMs", 60_000, least=1000, most=65_535_000) // 1000),
        ping_timeout_s=mqtt.number("pingTimeoutMs", 30_000, least=100) / 1000,
        operation_timeout_s=mqtt.number("operationTimeoutMs", 30_000, least=100) / 1000,
        max_in_flight=mqtt.number("maxInFlightPublishes", 5, least=1, most=65_535),
        max_message_bytes=mqtt.number("maxMessageSizeInBytes", 131_072, least=1024, most=268_435_455),
        spool_bytes=spooler.number("maxSizeInBytes", 2_621_440, least=1),
        keep_qos0_when_offline=spooler.flag("keepQos0WhenOffline"),
    )


def _jobs(jobs: Section, root: Path) -> JobSettings:
    folder = jobs.text("handlerPath")
    return JobSettings(
        enabled=jobs.flag("enabled", default=True),
        handlers=path_below(root, folder) if folder else None,
        reboot_command=tuple(jobs.text("rebootCommand").split()),
    )


def _logging(logging: Section, root: Path) -> Logging:
    logging.without_effect("format", "outputType")
    folder = logging.text("outputDirectory")
    return Logging(
        level=logging.choice("level", "INFO", ("DEBUG", "INFO", "WARN", "ERROR")).replace("WARN", "WARNING"),
        file_bytes=logging.number("fileSizeKB", 1024, least=1) * 1024,
        total_bytes=logging.number("totalLogsSizeKB", 10_240, least=1) * 1024,
        folder=path_below(root, folder) if folder else None,
    )


def _either(first: str, second: str) -> str:
    """Both were read, so that neither is called unknown; the first wins."""
    return first or second
