import { parts } from '@clicktally/system/parts.ts'
import * as acm from 'aws-cdk-lib/aws-certificatemanager'
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront'
import * as origins from 'aws-cdk-lib/aws-cloudfront-origins'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import * as wafv2 from 'aws-cdk-lib/aws-wafv2'
import { CfnOutput, Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Settings } from '../settings.ts'
import type { Services } from './services.ts'

export interface EntryProps {
  readonly vpc: ec2.IVpc
  readonly services: Services
  readonly settings: Settings
}

/**
 * The way in: [CloudFront →] load balancer with WAF → nginx.
 *
 * With CloudFront the load balancer has no public address. CloudFront caches the dashboard's files as nginx marks them: nginx stays their
 * only source, because it also sets the headers that protect them.
 */
export class Entry extends Construct {
  readonly loadBalancer: elb.ApplicationLoadBalancer
  readonly targets: elb.ApplicationTargetGroup

  constructor(scope: Construct, id: string, { vpc, services, settings }: EntryProps) {
    super(scope, id)
    const { domain, certificateArn, edgeCertificateArn } = settings
    const isPublic = edgeCertificateArn === undefined
    this.loadBalancer = new elb.ApplicationLoadBalancer(this, 'LoadBalancer', {
      vpc,
      internetFacing: isPublic,
      vpcSubnets: { subnetType: isPublic ? ec2.SubnetType.PUBLIC : ec2.SubnetType.PRIVATE_WITH_EGRESS },
      dropInvalidHeaderFields: true,
      deletionProtection: true,
      // Above nginx's 8 s for a request. Live viewers get a message every 10 s.
      idleTimeout: Duration.seconds(60),
    })
    this.targets = new elb.ApplicationTargetGroup(this, 'Nginx', {
      vpc,
      port: parts.nginx.port,
      protocol: elb.ApplicationProtocol.HTTP,
      targets: [services.get('nginx')],
      deregistrationDelay: Duration.seconds(25),
      // The check asks for the task's address, which is no host name of ours: 421 comes from an nginx that works.
      healthCheck: {
        path: '/',
        healthyHttpCodes: '200,421',
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
      },
    })
    this.loadBalancer.addListener('Https', {
      port: 443,
      open: isPublic,
      certificates: [elb.ListenerCertificate.fromArn(certificateArn)],
      sslPolicy: elb.SslPolicy.TLS13_RES,
      defaultTargetGroups: [this.targets],
    })
    if (isPublic) {
      this.loadBalancer.addRedirect()
    } else {
      this.loadBalancer.connections.allowFrom(ec2.Peer.ipv4(vpc.vpcCidrBlock), ec2.Port.tcp(443), 'CloudFront')
      this.#addEdge(domain, edgeCertificateArn)
    }
    this.#addFirewall()
    new CfnOutput(this, 'Address', { value: this.loadBalancer.loadBalancerDnsName })
  }

  #addEdge(domain: string, certificateArn: string): void {
    const distribution = new cloudfront.Distribution(this, 'Edge', {
      domainNames: [domain],
      certificate: acm.Certificate.fromCertificateArn(this, 'EdgeCertificate', certificateArn),
      minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      defaultBehavior: {
        origin: origins.VpcOrigin.withApplicationLoadBalancer(this.loadBalancer, {
          protocolPolicy: cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
        }),
        allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        // Nothing without a Cache-Control of nginx, and never an answer to a request with a credential.
        cachePolicy: new cloudfront.CachePolicy(this, 'Cache', {
          defaultTtl: Duration.seconds(0),
          minTtl: Duration.seconds(0),
          maxTtl: Duration.days(365),
          headerBehavior: cloudfront.CacheHeaderBehavior.allowList('Authorization', 'Origin'),
          cookieBehavior: cloudfront.CacheCookieBehavior.all(),
          queryStringBehavior: cloudfront.CacheQueryStringBehavior.all(),
          enableAcceptEncodingGzip: true,
          enableAcceptEncodingBrotli: true,
        }),
        originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_AND_CLOUDFRONT_2022,
      },
    })
    new CfnOutput(this, 'EdgeAddress', { value: distribution.distributionDomainName })
  }

  /** nginx limits clients by itself. This keeps known attackers away from it, and floods that would fill its connections. */
  #addFirewall(): void {
    const managed = (name: string, priority: number): wafv2.CfnWebACL.RuleProperty => ({
      name,
      priority,
      overrideAction: { none: {} },
      statement: { managedRuleGroupStatement: { vendorName: 'AWS', name } },
      visibilityConfig: visibility(name),
    })
    const acl = new wafv2.CfnWebACL(this, 'Firewall', {
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visibility('clicktally'),
      rules: [
        managed('AWSManagedRulesAmazonIpReputationList', 0),
        {
          name: 'flood',
          priority: 1,
          action: { block: { customResponse: { responseCode: 429 } } },
          // As many as nginx lets one address send in five minutes.
          statement: { rateBasedStatement: { limit: 600_000, evaluationWindowSec: 300, aggregateKeyType: 'IP' } },
          visibilityConfig: visibility('flood'),
        },
      ],
    })
    new wafv2.CfnWebACLAssociation(this, 'FirewallAssociation', {
      resourceArn: this.loadBalancer.loadBalancerArn,
      webAclArn: acl.attrArn,
    })
  }
}

function visibility(metricName: string): wafv2.CfnWebACL.VisibilityConfigProperty {
  // Sampled requests would show visitors' addresses.
  return { cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false, metricName }
}
