"""`mlworkflow export kubernetes`: the objects that run the image of `mlworkflow export docker`.

Security as the `restricted` standard for pods asks for (https://kubernetes.io/docs/concepts/security/pod-security-standards).
"""

from __future__ import annotations

import re
from shlex import quote
from string import Template

from mlworkflow.api.server import GRACE
from mlworkflow.exporting.docker import PORT, USER
from mlworkflow.exporting.subject import Export, ExportError, Subject

DRAIN = 5  # seconds in which a pod that ends still answers, while others learn that it does
MEMORY = {True: ("256Mi", "512Mi"), False: ("768Mi", "1536Mi")}  # (asked for, at most): onnxruntime, scikit-learn
IMAGE = re.compile(r"[a-z0-9][\w./:@-]*", re.ASCII)

DEPLOYMENT = Template("""\
# $words. Made by `mlworkflow export kubernetes`.
# The keys: kubectl create secret generic $name-keys --from-file=keys.txt
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $name
  labels: &labels
    app.kubernetes.io/name: $name
    app.kubernetes.io/version: "$version"
spec:
  # No `replicas`: the HorizontalPodAutoscaler decides
  revisionHistoryLimit: 5
  progressDeadlineSeconds: 300
  strategy:
    type: RollingUpdate
    rollingUpdate:  # a new pod is ready before an old one ends
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      app.kubernetes.io/name: $name
  template:
    metadata:
      labels: *labels
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: $grace  # $drain to drain, $finish to finish what was begun, and a margin
      securityContext:
        runAsNonRoot: true
        runAsUser: $user
        runAsGroup: $user
        fsGroup: $user
        seccompProfile:
          type: RuntimeDefault
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app.kubernetes.io/name: $name
      containers:
        - name: model
          image: "$image"
          args: ["--workers", "1", "--keys", "/keys/keys.txt", "--keep-days", "7"]
          ports:
            - name: http
              containerPort: $port
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: ["ALL"]
          resources:
            requests:
              cpu: 250m
              memory: $asked
              ephemeral-storage: 1Gi
            limits:
              cpu: "1"
              memory: $most
              ephemeral-storage: 13Gi
          startupProbe:
            httpGet: {path: /v2/health/live, port: http}
            periodSeconds: 2
            failureThreshold: 30
          livenessProbe:
            httpGet: {path: /v2/health/live, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {path: /v2/health/ready, port: http}
            periodSeconds: 5
            timeoutSeconds: 3
            failureThreshold: 2
          lifecycle:
            preStop:
              exec:
                command: ["python", "-c", "import time; time.sleep($drain)"]
          volumeMounts:
            - {name: keys, mountPath: /keys, readOnly: true}
            - {name: log, mountPath: /app/log}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: keys
          secret:
            secretName: $name-keys
            defaultMode: 288  # 0440
        - name: log  # of predictions; gone with the pod: mount a claim here to keep it
          emptyDir: {sizeLimit: 12Gi}
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
""")
SERVICE = Template("""\
apiVersion: v1
kind: Service
metadata:
  name: $name
  labels:
    app.kubernetes.io/name: $name
spec:
  type: ClusterIP
  selector:
    app.kubernetes.io/name: $name
  ports:
    - name: http
      port: 80
      targetPort: http
""")
AUTOSCALER = Template("""\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: $name
  labels:
    app.kubernetes.io/name: $name
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: $name
  minReplicas: 2
  maxReplicas: 10
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: 70
""")
BUDGET = Template("""\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: $name
  labels:
    app.kubernetes.io/name: $name
spec:
  minAvailable: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: $name
""")
NETWORK = Template("""\
# Pods of the same namespace may ask, and a pod may ask nobody. For an ingress, allow its namespace too.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: $name
  labels:
    app.kubernetes.io/name: $name
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: $name
  policyTypes: ["Ingress", "Egress"]
  ingress:
    - from:
        - podSelector: {}
      ports:
        - port: http
  egress: []
""")
FILES = {
    "deployment.yaml": DEPLOYMENT,
    "service.yaml": SERVICE,
    "autoscaler.yaml": AUTOSCALER,
    "disruption.yaml": BUDGET,
    "network.yaml": NETWORK,
}


def export(one: Subject) -> Export:
    """Return the folder. Raises ExportError where the image's name is none."""
    if not IMAGE.fullmatch(one.image):
        raise ExportError([f"{one.image!r} is no name of an image"], "Name it as in --image registry/name:v1.0.0.")
    asked, most = MEMORY[one.is_small]
    values = {
        "words": one.words, "name": one.name, "version": one.version, "image": one.image, "user": USER, "port": PORT,
        "asked": asked, "most": most, "drain": DRAIN, "finish": GRACE, "grace": DRAIN + GRACE + 10,
    }  # fmt: skip
    files = {name: template.substitute(values).encode() for name, template in FILES.items()}
    return Export(f"objects of Kubernetes for {one.words}", files, lambda folder: _next(one, folder))


def _next(one: Subject, folder: str) -> list[str]:
    return [
        "mlworkflow key me --file keys.txt",
        f"kubectl create secret generic {one.name}-keys --from-file=keys.txt",
        f"kubectl apply -f {quote(folder)}",
        f"kubectl rollout status deployment/{one.name}",
    ]
