import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.interceptor.api.Hook;
import ca.uhn.fhir.interceptor.api.Interceptor;
import ca.uhn.fhir.interceptor.api.Pointcut;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binstore.DatabaseBinaryContentStorageSvcImpl;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.model.entity.StorageSettings;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.match.config.SubscriptionProcessorConfig;
import ca.uhn.fhir.jpa.subscription.match.deliver.email.IEmailSender;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import ca.uhn.fhir.narrative2.NullNarrativeGenerator;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.IncomingRequestAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.exceptions.AuthenticationException;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceVersionConflictException;
import ca.uhn.fhir.rest.server.interceptor.SearchPreferHandlingInterceptor;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import jakarta.servlet.http.HttpServletRequest;
import java.net.InetSocketAddress;
import java.util.Properties;
import javax.sql.DataSource;
import org.apache.commons.dbcp2.BasicDataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.hl7.fhir.dstu2.model.Subscription.SubscriptionChannelType;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

/**
 * A FHIR R4 server with nothing in it, on loopback. Prints {@code FHIR_SERVER http://127.0.0.1:PORT/fhir} when it can be
 * used; SIGTERM ends it. System properties: {@code port} (0 = any), {@code token} (the bearer that it wants), {@code
 * preconditionFailed} (answers a stale If-Match with 412 instead of HAPI's 409).
 */
public class FhirServer {

  public static void main(String[] arguments) throws Exception {
    var spring = new AnnotationConfigApplicationContext(Beans.class);
    var context = new ServletContextHandler("/");
    context.addServlet(new ServletHolder("fhir", spring.getBean(RestfulServer.class)), "/fhir/*");
    var jetty = new Server(new InetSocketAddress("127.0.0.1", Integer.getInteger("port", 0)));
    jetty.setHandler(context);
    jetty.setStopAtShutdown(true);
    jetty.start();
    System.out.println("FHIR_SERVER http://127.0.0.1:" + jetty.getURI().getPort() + "/fhir");
    jetty.join();
  }

  @Configuration
  @Import({
    JpaR4Config.class,
    HapiJpaConfig.class,
    ThreadPoolFactoryConfig.class,
    JpaBatch2Config.class,
    Batch2JobsConfig.class,
    SubscriptionSubmitterConfig.class,
    SubscriptionProcessorConfig.class,
    SubscriptionChannelConfig.class,
  })
  static class Beans {

    @Bean
    DataSource dataSource() {
      var source = new BasicDataSource();
      source.setDriverClassName("org.h2.Driver");
      source.setUrl("jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1");
      source.setUsername("sa");
      source.setPassword("");
      source.setMaxTotal(20);
      return source;
    }

    @Bean
    @Primary
    LocalContainerEntityManagerFactoryBean entityManagerFactory(
        ConfigurableListableBeanFactory beans, FhirContext fhir, JpaStorageSettings settings, DataSource source) {
      var factory = HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, fhir, settings);
      factory.setPersistenceUnitName("fhir");
      factory.setDataSource(source);
      var properties = new Properties();
      properties.put("hibernate.dialect", HapiFhirH2Dialect.class.getName());
      properties.put("hibernate.hbm2ddl.auto", "update");
      properties.put("hibernate.cache.use_query_cache", "false");
      properties.put("hibernate.cache.use_second_level_cache", "false");
      properties.put("hibernate.search.enabled", "false");
      factory.setJpaProperties(properties);
      return factory;
    }

    @Bean
    @Primary
    JpaTransactionManager transactionManager(EntityManagerFactory factory) {
      return new JpaTransactionManager(factory);
    }

    /** A search sees the latest writes: HAPI's default answers an equal search from a cache for a minute. */
    @Bean
    JpaStorageSettings storageSettings() {
      var settings = new JpaStorageSettings();
      settings.setReuseCachedSearchResultsForMillis(null);
      settings.setIndexMissingFields(StorageSettings.IndexEnabledEnum.ENABLED);
      settings.setExpungeEnabled(true);
      settings.setDeleteExpungeEnabled(true);
      settings.setAllowMultipleDelete(true);
      return settings;
    }

    @Bean
    SubscriptionSettings subscriptionSettings() {
      var settings = new SubscriptionSettings();
      settings.addSupportedSubscriptionType(SubscriptionChannelType.RESTHOOK);
      settings.setSubscriptionIntervalInMs(500);
      return settings;
    }

    @Bean
    PartitionSettings partitionSettings() {
      return new PartitionSettings();
    }

    @Bean
    IBinaryStorageSvc binaryStorage() {
      return new DatabaseBinaryContentStorageSvcImpl();
    }

    @Bean
    IEmailSender emailSender() {
      return details -> {};
    }

    @Bean
    RestfulServer restfulServer(
        FhirContext fhir,
        IFhirSystemDao<?, ?> systemDao,
        ResourceProviderFactory resources,
        IJpaSystemProvider system,
        JpaStorageSettings settings,
        ISearchParamRegistry parameters,
        IValidationSupport validation,
        DatabaseBackedPagingProvider paging) {
      fhir.setNarrativeGenerator(new NullNarrativeGenerator());
      var server = new RestfulServer(fhir);
      server.registerProviders(resources.createProviders());
      server.registerProvider(system);
      var statement = new JpaCapabilityStatementProvider(server, systemDao, settings, parameters, validation);
      statement.setImplementationDescription("Sluice test EHR");
      server.setServerConformanceProvider(statement);
      server.setDefaultResponseEncoding(EncodingEnum.JSON);
      paging.setDefaultPageSize(20);
      paging.setMaximumPageSize(500);
      server.setPagingProvider(paging);
      server.setServerAddressStrategy(new IncomingRequestAddressStrategy());
      server.registerInterceptor(new SearchPreferHandlingInterceptor(parameters));
      server.registerInterceptor(new Door());
      return server;
    }
  }

  /** What the system properties switch on; without them the server is plain HAPI FHIR. */
  @Interceptor
  public static class Door {
    private final String token = System.getProperty("token", "");
    private final boolean preconditionFailed = Boolean.getBoolean("preconditionFailed");

    @Hook(Pointcut.SERVER_INCOMING_REQUEST_POST_PROCESSED)
    public void authenticate(HttpServletRequest request) {
      if (token.isEmpty() || request.getRequestURI().endsWith("/metadata")) return;
      if (("Bearer " + token).equals(request.getHeader("Authorization"))) return;
      throw new AuthenticationException("a bearer token is wanted").addResponseHeader("WWW-Authenticate", "Bearer");
    }

    @Hook(Pointcut.SERVER_PRE_PROCESS_OUTGOING_EXCEPTION)
    public BaseServerResponseException conflict(Throwable error, HttpServletRequest request) {
      var stale = error instanceof ResourceVersionConflictException && request.getHeader("If-Match") != null;
      return preconditionFailed && stale ? new PreconditionFailedException(error.getMessage()) : null;
    }
  }
}
