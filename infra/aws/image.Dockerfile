# Adds the certificate authorities of Amazon RDS to an image that was built before, as `built`.
FROM built
COPY rds.pem /etc/ssl/rds.pem
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/rds.pem
